"""The example's window, on a virtual screen and with a virtual microphone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from microphone.virtualmicrophone import VirtualMicrophone

pytest.importorskip("PySide6", reason="PySide6 is not installed")
pytest.importorskip("pyqtgraph", reason="pyqtgraph is not installed")

pytestmark = pytest.mark.timeout(120)

# What a user does: looks at it, starts, listens, plugs another microphone in, refreshes, stops.
PROGRAM = """
import json, sys, time
import numpy as np
from PySide6 import QtCore, QtWidgets
sys.path.insert(0, sys.argv[1])
import qt_window
import edgevoice

application = QtWidgets.QApplication([])
window = qt_window.Window(edgevoice.load("cae-64"))
window.show()
loudest = -60  # speech has pauses, in which the meter shows none

def until(wanted, seconds=20):
    global loudest
    end = time.monotonic() + seconds
    while not wanted() and time.monotonic() < end:
        application.processEvents()
        loudest = max(loudest, window.meter.value())
        time.sleep(0.005)
    return bool(wanted())

told = {"listed": until(lambda: window.devices.count() > 0)}
window.start.click()
told["drawn"] = until(lambda: np.count_nonzero(window._maps["error"].any(axis=1)) >= 12)
told["status"] = window.status.text()
told["images"] = [window._images[name].image is not None for name in ("spectrogram", "reconstruction")]
if len(sys.argv) > 2:
    until(lambda: np.count_nonzero(window._maps["error"].any(axis=1)) >= 78, 30)
    window.grab().save(sys.argv[2])
else:
    print("plug", flush=True)
    input()
    before = window.devices.count()
    window.refresh.click()
    told["found"] = until(lambda: window.devices.count() > before)
    drawn = window._maps["error"].copy()
    told["goes on"] = until(lambda: (window._maps["error"] != drawn).any())
window.start.click()
window.close()
until(lambda: False, 0.2)
print(json.dumps({**told, "loudest": loudest}))
"""


def test_a_window_shows_frames_and_finds_a_new_microphone(
    root: Path, speech: Path, virtual_microphone: Callable[..., VirtualMicrophone]
) -> None:
    microphone = virtual_microphone()
    playing = microphone.play(speech)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(root / "examples")],
        env={**microphone.environment, "QT_QPA_PLATFORM": "offscreen"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
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
    assert told["found"], "a microphone that was plugged in is found by Refresh"
    assert told["goes on"], "and listening goes on"
