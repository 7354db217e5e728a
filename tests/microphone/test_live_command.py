"""`edgevoice stream --mic` and `edgevoice devices`: with a fake sounddevice here, or a real server in another process."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from edgevoice import Extractor, Frame
from edgevoice.cli import main
from edgevoice.cli.console import meter
from edgevoice.tables.jsonlines import JsonLines
from microphone.fakesounddevice import FakeSoundDevice, RawInputStream, wait_until
from microphone.session import PATIENCE, Session
from microphone.virtualmicrophone import VirtualMicrophone

COMMAND = (sys.executable, "-m", "edgevoice.cli", "stream", "--mic")


@pytest.fixture
def say(fake: FakeSoundDevice, voice: np.ndarray) -> Callable[..., None]:
    """Say something as soon as the command listens; then, perhaps, do something else."""

    def later(then: Callable[[RawInputStream], object] = lambda _: None) -> None:
        def work() -> None:
            wait_until(lambda: fake.streams)
            fake.stream.give(voice)
            then(fake.stream)

        threading.Thread(target=work, daemon=True).start()

    return later


def test_frames_are_lines_and_the_summary_is_on_stderr(
    say: Callable[..., None], tiny_model: Path, tiny: Extractor, voice: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    """Fake."""
    say()
    assert main(["stream", "--mic", "fake", "--seconds", "4", "--model", str(tiny_model)]) == 0
    output, errors = capfd.readouterr()
    frames = [json.loads(line) for line in output.splitlines()]
    expected = tiny.extract((voice[:64_000], 16000))
    np.testing.assert_array_equal(np.array([frame["bottleneck"] for frame in frames], np.float32), expected.bottleneck)
    assert all(frame["time"] and frame["latency"] >= 0 for frame in frames)
    assert errors.splitlines()[0] == "edgevoice: Fake microphone: 16000 Hz, 1 channel(s), 4.00 s of audio"
    assert errors.splitlines()[1] == "edgevoice: frames: 15, of which 0 touch gaps; 0 windows lost"
    assert all(words in errors for words in ("gaps: none", "latency: p50", "computing: p50", "load"))


def test_a_recording_is_replaced_only_with_force_and_only_by_another(
    say: Callable[..., None],
    fake: FakeSoundDevice,
    tiny_model: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Fake."""
    (tmp_path / "kept.wav").write_bytes(b"older")
    words = ["stream", "--mic", "fake", "--seconds", "1", "--model", str(tiny_model), "--record", str(tmp_path / "kept.wav")]
    assert main(words) == 2
    assert main(["stream", "--mic", "nothing", *words[3:], "--force"]) == 2
    assert (tmp_path / "kept.wav").read_bytes() == b"older"
    say()
    assert main([*words, "--force"]) == 0
    assert (tmp_path / "kept.wav").stat().st_size > 32_000
    assert [path.name for path in tmp_path.iterdir()] == ["kept.wav"]


def test_an_unknown_device_is_wrong_usage(
    fake: FakeSoundDevice, tiny_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Fake."""
    for mic, words in (("nothing", "'nothing': no input device"), ("7", "device 7: no input device has this index")):
        assert main(["stream", "--mic", mic, "--model", str(tiny_model)]) == 2
        output, errors = capfd.readouterr()
        assert output == ""
        assert words in errors
        assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGALRM, 142)],  # an alarm of a parent's
)
def test_signals_end_it_after_what_was_captured(
    say: Callable[..., None], tiny_model: Path, capfd: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    """Fake."""
    before = signal.getsignal(number)

    def interrupt(stream: RawInputStream) -> None:
        # The device is open a moment before the command takes signals for itself.
        while getattr(signal.getsignal(number), "__name__", "") != "end":
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    say(then=interrupt)
    assert main(["stream", "--mic", "--model", str(tiny_model)]) == code
    output, errors = capfd.readouterr()
    assert len(output.splitlines()) == 39
    assert "latency" in errors
    assert signal.getsignal(number) is before


def test_a_signal_while_a_frame_is_written_loses_none(
    say: Callable[..., None], tiny_model: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fake."""
    given, write = threading.Event(), JsonLines.write

    def write_while_a_signal_comes(lines: JsonLines, frames: Iterable[Frame]) -> None:
        if signal.SIGTERM not in came:
            assert given.wait(20)
            came.append(signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
        write(lines, frames)

    came: list[int] = []
    monkeypatch.setattr(JsonLines, "write", write_while_a_signal_comes)
    say(then=lambda _: given.set())
    assert main(["stream", "--mic", "--model", str(tiny_model)]) == 143
    assert len(capfd.readouterr().out.splitlines()) == 39


def test_a_closed_pipe_ends_it(sink: VirtualMicrophone, tiny_model: Path) -> None:
    """Null sink, `head -n 2` at the other end."""
    command = f"({' '.join(COMMAND)} --model {tiny_model}; echo exit $? >&2) | head -n 2 | wc -l"
    done = subprocess.run(["bash", "-c", command], env=sink.environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2"
    assert done.stderr.splitlines()[-1] == "exit 0"
    assert "edgevoice: latency" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_ends_it_while_nobody_reads(sink: VirtualMicrophone, tiny_model: Path) -> None:
    """Null sink: the pipe is full, and the reader neither reads nor closes it."""
    command = [*COMMAND, "--hop", "0.05", "--model", str(tiny_model)]
    with subprocess.Popen(
        command, env=sink.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # room for one frame
        assert os.read(process.stdout.fileno(), 1) == b"{"
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 143
        assert "edgevoice: latency" in process.stderr.read()


def test_nothing_but_our_lines_reaches_stderr(sink: VirtualMicrophone, tiny_model: Path) -> None:
    """Null sink: ALSA and PortAudio complain past `sys.stderr` when a device is lost and cannot be opened again."""
    with Session(sink, tiny_model, "--reopen") as session:
        session.wait_for(1)
        sink.kill()
        time.sleep(1.5)
        errors = session.stop()
    assert all(line.startswith("edgevoice: ") for line in errors.splitlines())


def test_a_terminal_gets_a_status_line_and_no_frames(sink: VirtualMicrophone, tiny_model: Path) -> None:
    """Null sink, a pseudo-terminal."""
    ours, theirs = pty.openpty()
    command = [*COMMAND, "--seconds", "2", "--model", str(tiny_model)]
    with subprocess.Popen(command, env=sink.environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break
        assert process.wait(timeout=30) == 0
    os.close(ours)
    text = shown.decode()
    assert "bottleneck" not in text
    assert "\r[--------------------]  -60 dB  0.5 s  1 frames  latency" in text
    assert "edgevoice: frames: 7," in text


def test_a_terminal_that_is_closed_ends_it_and_keeps_the_recording(
    sink: VirtualMicrophone, tiny_model: Path, tmp_path: Path
) -> None:
    """Null sink, a pseudo-terminal that the command is the first process of."""
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", *COMMAND, "--record", str(tmp_path / "kept.wav"), "--model", str(tiny_model)]
    with subprocess.Popen(command, env=sink.environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b" frames " not in shown:
            shown += os.read(ours, 65536)
        os.close(ours)
        assert process.wait(timeout=30) == 129
    assert [path.name for path in tmp_path.iterdir()] == ["kept.wav"]


@pytest.mark.parametrize(
    ("peak", "bar", "decibels"),
    [(0.0, 0, " -60"), (1e-6, 0, " -60"), (0.0316228, 10, " -30"), (0.5, 18, "  -6"), (1.0, 20, "   0")],
)
def test_the_meter_is_in_decibels(peak: float, bar: int, decibels: str) -> None:
    assert meter(peak).replace("-0 dB", " 0 dB") == f"[{'#' * bar}{'-' * (20 - bar)}] {decibels} dB"


def test_devices_are_listed(fake: FakeSoundDevice, capsys: pytest.CaptureFixture[str]) -> None:
    """Fake."""
    fake.add("Loudspeaker", channels=0)
    fake.add("Headset", host=1)
    assert main(["devices"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == ""
    assert first.split() == ["*", "0", "Fake", "microphone", "ALSA", "2", "48000", "16000", "44100", "48000"]
    assert second.split() == ["2", "Headset", "Other", "1", "16000", "16000", "44100", "48000"]
    assert main(["devices", "--json"]) == 0
    devices = json.loads(capsys.readouterr().out)
    assert devices[0] == {
        "index": 0,
        "name": "Fake microphone",
        "host": "ALSA",
        "channels": 2,
        "rate": 48000,
        "default": True,
        "rates": [16000, 44100, 48000],
    }
