"""The example's window, on a virtual screen and with a virtual microphone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from microphone.virtualmicrophone import VirtualMicrophone

pytest.importorskip("PySide6", reason="PySide6 is not installed")
pytest.importorskip("pyqtgraph", reason="pyqtgraph is not installed")

pytestmark = pytest.mark.timeout(120)

BEGIN = """
import json, sys, time
import numpy as np
from PySide6 import QtWidgets
sys.path.insert(0, sys.argv[1])
import qt_window
import edgevoice

application = QtWidgets.QApplication([])
extractor = edgevoice.load("cae-64")

def columns():
    return int(np.isfinite(window._strips["errors"].values).all(axis=0).sum())

def colours():
    image = window.grab().toImage()
    return len({image.pixel(x, y) for x in range(0, image.width(), 4) for y in range(0, image.height(), 4)})
"""
# What a user does: looks at it, starts, listens, plugs another microphone in, refreshes, stops.
LIVE = """
qt_window.dress(application, "dark")
window = qt_window.Window(extractor, None, 0.25, "dark")
window.show()

def until(wanted, seconds=20):
    end = time.monotonic() + seconds
    while not wanted() and time.monotonic() < end:
        application.processEvents()
        time.sleep(0.005)
    return bool(wanted())

told = {"listed": until(lambda: window.devices.count() > 0), "empty": colours()}
window.start.click()
told["drawn"] = until(lambda: columns() >= 12)
told["images"] = [bool(np.isfinite(window._strips[name].values).any()) for name in ("spectrogram", "reconstruction")]
told["colours"], told["loudest"] = colours(), float(np.nanmax(window._strips["loudness"].values))
draw = window.draw
window.draw = lambda listener: (time.sleep(0.3), draw(listener))
until(lambda: False, 2)
told["pause"] = window._timer.interval()
told["status"] = window.status.text()
del window.draw
print("plug", flush=True)
input()
before = window.devices.count()
window.refresh.click()
told["found"] = until(lambda: window.devices.count() > before)
told["goes on"] = until(lambda: 0 < columns() < 12) and until(lambda: columns() >= 4)
window.start.click()
window.close()
until(lambda: False, 0.2)
print(json.dumps(told))
"""
# A head without a graph, and two frames without a microphone.
STILL = """
from types import SimpleNamespace as Some
edgevoice.input_devices = lambda refresh: []
qt_window.dress(application, "light")
head = Some(labels=("adult", "child"), recipe=Some(hop=0.25, level=None))
window = qt_window.Window(extractor, head, 0.05, "light")
window.show()
listener = qt_window.Listener(extractor, {}, head, None)
rng, told, empty = np.random.default_rng(0), [], colours()
frames = [Some(end=k / 4, captured=0.0, error=f.error, bottleneck=f.bottleneck) for k, f in enumerate(
    extractor.extract((rng.uniform(-1, 1, 12000), 16000)), 2)]
for frame, label in zip(frames, (None, "child")):
    listener._tap(rng.integers(-32768, 32768, (8000, 1)).astype(np.int16), time.monotonic())
    images = {name: rng.random((128, 126)) for name in ("spectrogram", "reconstruction")}
    decision = label and Some(label=label, value=None, probabilities={"adult": 0.25, "child": 0.75})
    listener.heard.append((frame, listener._window(16000), images, decision))
    listener._codes.append(frame.bottleneck)
    listener._find_parts()
    window.draw(listener)
    told += [window.label.text(), window.meter.format(), window._chances["child"].value()]
window._listener = listener
application.processEvents()
print(json.dumps([*told, colours() > empty + 100, columns()]))
"""


def start(root: Path, program: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + program, str(root / "examples")],
        env={**environment, "QT_QPA_PLATFORM": "offscreen"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_window_shows_frames_and_finds_a_new_microphone(
    root: Path, speech: Path, tmp_path: Path, virtual_microphone: Callable[..., VirtualMicrophone]
) -> None:
    microphone = virtual_microphone()
    samples, rate = soundfile.read(speech)
    soundfile.write(tmp_path / "long.wav", np.tile(samples, 12), rate)
    playing = microphone.play(tmp_path / "long.wav")
    process = start(root, LIVE, microphone.environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "plug\n", process.communicate()[1]
    with (microphone.folder / "asound.conf").open("a") as file:
        file.write('pcm.headset { type pulse device "headset.monitor" hint { show on description "headset" } }\n')
    microphone.add_sink("headset")
    out, errors = process.communicate("\n", timeout=90)
    playing.kill()
    playing.wait()
    assert process.returncode == 0, errors
    told = json.loads(out)
    assert told["listed"]
    assert told["drawn"]
    assert told["images"] == [True, True]
    assert told["loudest"] > -60
    assert "latency" in told["status"]
    assert told["colours"] > told["empty"] + 100
    assert told["pause"] >= 300, "a slow picture leaves half of the time"
    assert "lost in 10 s: 0.00 s" in told["status"], "and loses no audio"
    assert told["found"], "a microphone that was plugged in is found by Refresh"
    assert told["goes on"], "and listening goes on"


def test_a_head_decides_in_large_letters_and_clipping_is_shown(root: Path) -> None:
    process = start(root, STILL, dict(os.environ))
    out, errors = process.communicate(timeout=90)
    assert process.returncode == 0, errors
    before, unclipped, none, label, meter, chance, pictured, columns = json.loads(out)
    assert (before, none, label, chance, pictured, columns) == ("…", 0, "child", 750, True, 2)
    assert unclipped == meter == "-5 dB, peak 0 dB   CLIP"
