"""The examples that listen, each run with a virtual microphone, and what receives their frames."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice
from microphone.virtualmicrophone import VirtualMicrophone

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX"),
    pytest.mark.timeout(120),
]

PATIENCE = 60


@contextlib.contextmanager
def listening(root: Path, microphone: VirtualMicrophone, speech: Path, name: str, *words: str) -> Iterator[Any]:
    """An example that listens while somebody speaks; ends by Ctrl-C if it has not ended."""
    command = [sys.executable, str(root / "examples" / name), *words]
    if name.endswith(".sh"):
        command[0] = "sh"
    environment = {**microphone.environment, "PATH": f"{Path(sys.executable).parent}:{microphone.environment['PATH']}"}
    playing = microphone.play(speech)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        process.kill()
        process.communicate()
        playing.kill()
        playing.wait()


def lines(process: Any, count: int) -> list[str]:
    return [process.stdout.readline() for _ in range(count)]


def test_frames_until_ctrl_c(root: Path, sink: VirtualMicrophone, speech: Path) -> None:
    with listening(root, sink, speech, "live_microphone.py", "cae-64") as process:
        first, *frames = lines(process, 5)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert "16000 Hz" in first
    assert all("late by" in line for line in frames)
    assert [line.split(" s")[0].strip() for line in frames] == ["0.50", "0.75", "1.00", "1.25"]
    assert "frames" in rest
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("name", ["live_callback.py", "live_thread.py", "live_asyncio.py"])
def test_each_way_to_embed_gives_frames(root: Path, sink: VirtualMicrophone, speech: Path, name: str) -> None:
    with listening(root, sink, speech, name, "3") as process:
        printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    times = [line.split(" s")[0] for line in printed.splitlines() if "dB" in line or "gap" in line]
    assert times[:4] == ["0.50", "0.75", "1.00", "1.25"]
    assert len(times) >= 6
    assert ("1 s have passed" in printed) == ("asyncio" in name)


def test_open_sound_control(root: Path, sink: VirtualMicrophone, speech: Path) -> None:
    pytest.importorskip("pythonosc", reason="python-osc is not installed")
    from pythonosc.dispatcher import Dispatcher
    from pythonosc.osc_server import BlockingOSCUDPServer

    found: dict[str, list[Any]] = {}
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: found.setdefault(address, []).append(values))
    with BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        port = str(server.server_address[1])
        with listening(root, sink, speech, "live_osc.py", "127.0.0.1", port) as process:
            server.timeout = PATIENCE
            while len(found.get("/edgevoice/error", [])) < 4:
                server.handle_request()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert [values[0] for values in found["/edgevoice/frame"][:4]] == [0, 1, 2, 3]
    assert {len(values) for values in found["/edgevoice/bottleneck"]} == {64}
    assert {len(values) for values in found["/edgevoice/error"]} == {128}


def test_lab_streaming_layer(root: Path, sink: VirtualMicrophone, speech: Path) -> None:
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed")
    with listening(root, sink, speech, "live_lsl.py", "cae-64") as process:
        assert "192 channels" in lines(process, 1)[0]
        streams = pylsl.resolve_byprop("source_id", "edgevoice-cae-64", timeout=20)
        assert streams, "the stream is not found"
        inlet = pylsl.StreamInlet(streams[0])
        samples, stamps = zip(*[inlet.pull_sample(timeout=20) for _ in range(4)], strict=True)
        now = pylsl.local_clock()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert np.array(samples).shape == (4, 192)
    # A frame every quarter of a second of sound, stamped when its last sample was captured.
    assert np.diff(stamps) == pytest.approx([0.25] * 3, abs=0.02)
    assert now - 5 < stamps[-1] <= now


def test_a_pipe_into_jq(root: Path, sink: VirtualMicrophone, speech: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    with listening(root, sink, speech, "live_pipe.sh", "--seconds", "3") as process:
        printed, errors = process.communicate(timeout=PATIENCE)
    frames = [json.loads(line) for line in printed.splitlines()]
    assert process.returncode == 0, errors
    assert len(frames) >= 6
    assert set(frames[0]) == {"end", "loudness"}


def test_a_head_listens(root: Path, tmp_path: Path, speech: Path) -> None:
    for name in ("sklearn", "onnx", "pyarrow"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    samples, rate = soundfile.read(speech)
    for k in range(4):
        soundfile.write(tmp_path / f"{k}.wav", samples[: 5 * rate] * (1, -1)[k % 2] + 0.001 * k, rate)
    (tmp_path / "labels.csv").write_text("file,who,sign\n" + "".join(f"{k}.wav,{k},{'ab'[k % 2]}\n" for k in range(4)))
    edgevoice.fit(
        tmp_path / "labels.csv",
        label="sign",
        group="who",
        out=tmp_path / "head.onnx",
        features=tmp_path / "kept.parquet",
    )
    command = [sys.executable, str(root / "examples" / "live_classifier.py"), str(tmp_path / "head.onnx"), str(speech)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == len(edgevoice.load("cae-256").extract(speech)) - 6
    script = str(root / "examples" / "few_labels.py")
    command = [sys.executable, script, str(tmp_path / "labels.csv"), "sign", "who", "cae-64"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=environment)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 4
