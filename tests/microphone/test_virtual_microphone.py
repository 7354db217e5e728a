"""The command on a real audio server: PulseAudio with a virtual device, reached through ALSA and PortAudio.

With a pipe, what is spoken is known to the sample; a null sink runs by itself and can be suspended.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice import Extractor, Features
from microphone.session import Session
from microphone.virtualmicrophone import VirtualMicrophone, speak

Make = Callable[..., VirtualMicrophone]

FAULTS = {
    **dict.fromkeys(("unplugged", "killed"), "it was unplugged, or its audio server ended"),
    **dict.fromkeys(("frozen", "suspended"), "it has delivered nothing for 1.5 s"),
}

pytestmark = pytest.mark.timeout(120)


@contextmanager
def speaking(microphone: VirtualMicrophone, voice: np.ndarray) -> Iterator[None]:
    """Speak into a pipe as soon as somebody captures; wait for the end."""
    deadline = time.monotonic() + 20
    while not microphone.control("list", "short", "source-outputs"):
        assert time.monotonic() < deadline, "nobody opened the microphone"
        time.sleep(0.05)
    with microphone.writer() as writer:
        arguments = (writer, voice.tobytes(), microphone.rate, microphone.channels)
        thread = threading.Thread(target=speak, args=arguments)
        thread.start()
        yield
        thread.join()


def assert_equal(session: Session, features: Features) -> None:
    assert [frame["position"] for frame in session.frames] == features.position.tolist()
    np.testing.assert_array_equal(session.values, features.values)


def assert_complete(session: Session, errors: str) -> None:
    """Every window was delivered or counted."""
    assert len(session.frames) + session.lost(errors) == session.frames[-1]["index"] + 1


@pytest.mark.parametrize("form", [(16000, 1), (48000, 2)])
def test_what_is_captured_is_what_was_spoken_and_frames_equal_those_of_the_recording(
    virtual_microphone: Make, tiny_model: Path, tiny: Extractor, tmp_path: Path, form: tuple[int, int]
) -> None:
    """Pipe: bit for bit, at the model's rate and at another with two channels, chosen with --rate and --channel."""
    rate, channels = form
    microphone = virtual_microphone("pipe", rate, channels)
    voice = np.random.default_rng(5).integers(-9000, 9000, (rate * 4, channels)).astype(np.int16)
    options = ["--rate", str(rate), "--channel", str(channels - 1)]
    with (
        Session(microphone, tiny_model, "--seconds", "3.7", "--record", str(tmp_path / "captured.wav"), *options) as session,
        speaking(microphone, voice),
    ):
        code, errors = session.end()
    assert code == 0
    captured, captured_rate = soundfile.read(tmp_path / "captured.wav", dtype="int16", always_2d=True)
    assert captured_rate == rate
    np.testing.assert_array_equal(captured, voice[: round(3.7 * rate)])
    assert_equal(session, tiny.extract(tmp_path / "captured.wav", channel=channels - 1))
    assert "gaps: none" in errors


def test_latency_is_stated_as_it_is(virtual_microphone: Make, tiny_model: Path, voice: np.ndarray) -> None:
    """Pipe: the last sample of a window is written to it when it would be spoken; the frame arrives here shortly after."""
    microphone = virtual_microphone("pipe")
    with Session(microphone, tiny_model, "--seconds", "5") as session, speaking(microphone, voice[:90_000]):
        began, wall = time.monotonic(), time.time()
        session.end()
    seen = np.array([frame["arrived"] - began - frame["end"] for frame in session.frames])
    stated = np.array([frame["latency"] for frame in session.frames])
    # A block of the pipe's is up to 10 ms long, and PulseAudio takes its time: neither can be known here. The least
    # delayed frame counts: a busy machine delays the others on their way to this process.
    assert abs(np.min(seen - stated)) < 0.04
    assert np.min([frame["time"] - wall - frame["end"] for frame in session.frames]) == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_device_that_is_lost_is_an_error_and_closing_does_not_hang(
    sink: VirtualMicrophone, tiny_model: Path, fault: str
) -> None:
    """Null sink: where its server is frozen all of PortAudio's calls hang, where it is suspended `stop` would."""
    with Session(sink, tiny_model) as session:
        session.wait_for(2)
        with sink.away(fault):
            code, errors = session.end()
    assert code == 1
    assert errors.splitlines()[-1].endswith(FAULTS[fault])
    assert_complete(session, errors)


def test_ctrl_c_ends_a_process_whose_server_is_frozen(sink: VirtualMicrophone, tiny_model: Path) -> None:
    """Null sink: interrupted before the stall is noticed."""
    with Session(sink, tiny_model) as session:
        session.wait_for(2)
        with sink.away("frozen"):
            session.stop()


def test_audio_lost_without_a_word_is_found_by_the_clock(sink: VirtualMicrophone, tiny_model: Path) -> None:
    """Null sink: suspended for less than a stall takes to be noticed."""
    with Session(sink, tiny_model) as session:
        session.wait_for(2)
        started = time.monotonic()
        with sink.away("suspended"):
            time.sleep(0.8)
        suspended = time.monotonic() - started
        session.listen(3)
        errors = session.stop()
    gap = [frame["index"] for frame in session.frames if frame["gap"]]
    assert gap
    assert not session.frames[-1]["gap"]
    assert_complete(session, errors)
    clock = float(errors.split("by the clock about ")[1].split(",")[0])
    assert clock == pytest.approx(suspended, abs=0.3)
    # Positions are true again: seconds of audio and of the wall clock go together.
    offsets = [frame["time"] - frame["end"] for frame in session.frames]
    assert offsets[-1] == pytest.approx(offsets[0], abs=0.05)


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_process_that_was_stopped_loses_nothing(
    virtual_microphone: Make, tiny_model: Path, tiny: Extractor, tmp_path: Path, voice: np.ndarray, who: str
) -> None:
    """Pipe: the audio arrives late, all at once. A stopped client is no stall however long; the server's is one at 1.5 s."""
    microphone = virtual_microphone("pipe")
    options = ("--record", str(tmp_path / "captured.wav"), "--seconds", "8")
    with Session(microphone, tiny_model, *options) as session, speaking(microphone, voice[:130_000]):
        session.wait_for(3)
        with session.stopped() if who == "client" else microphone.away("frozen"):
            time.sleep(3 if who == "client" else 0.8)
        code, errors = session.end()
    assert code == 0
    assert "gaps: none" in errors
    captured, _ = soundfile.read(tmp_path / "captured.wav", dtype="int16")
    np.testing.assert_array_equal(captured, voice[:128_000])
    assert_equal(session, tiny.extract((voice[:128_000], 16000)))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_device_is_waited_for(sink: VirtualMicrophone, tiny_model: Path, fault: str) -> None:
    """Null sink: away for 3 s, then back."""
    with Session(sink, tiny_model, "--reopen") as session:
        session.wait_for(2)
        started = time.monotonic()
        with sink.away(fault):
            time.sleep(3)
        before = len(session.frames)
        session.wait_for(before + 8)
        back = time.monotonic()
        errors = session.stop()
    gone = float(errors.split("device gone about ")[1].split(")")[0])
    assert 2.5 < gone < back - started
    assert session.lost(errors) > 5
    assert_complete(session, errors)
    assert any(frame["gap"] for frame in session.frames)
    assert not session.frames[-1]["gap"]
    offsets = [frame["time"] - frame["end"] for frame in session.frames]
    assert offsets[-1] == pytest.approx(offsets[0], abs=0.1)


def test_two_microphones_and_a_file_share_one_extractor(sink: VirtualMicrophone, tiny_model: Path, speech: Path) -> None:
    """Null sinks: two devices in one process, each with its own audio; one is closed, the other goes on."""
    sink.add_sink("second")
    program = (
        "import sys, subprocess, edgevoice\n"
        "from edgevoice import Microphone\n"
        "extractor = edgevoice.load(sys.argv[1])\n"
        "with Microphone(extractor, 'default') as first, Microphone(extractor, 'second') as second:\n"
        "    player = subprocess.Popen(['paplay', '--device=second', '--latency-msec=20', sys.argv[2]])\n"
        "    extractor.extract(sys.argv[2])\n"
        "    pairs = [(next(first), next(second)) for _ in range(8)]\n"
        "    player.wait()\n"
        "    assert all(one.silent for one, _ in pairs), 'the first hears nothing'\n"
        "    assert not all(other.silent for _, other in pairs), 'the second hears speech'\n"
        "    first.close()\n"
        "    before = next(second)\n"
        "    assert [next(second).index for _ in range(12)][-1] == before.index + 12\n"
        "    print('done')\n"
    )
    command = [sys.executable, "-c", program, str(tiny_model), str(speech)]
    done = subprocess.run(command, env=sink.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "done\n", done.stderr


def test_a_server_that_comes_up_later_is_found(sink: VirtualMicrophone, tiny_model: Path) -> None:
    """Null sink: no server when PortAudio starts; the first attempt fails, the second finds it."""
    sink.kill()
    program = (
        "import sys, edgevoice\n"
        "from edgevoice import Microphone\n"
        "extractor = edgevoice.load(sys.argv[1])\n"
        "try: Microphone(extractor)\n"
        "except edgevoice.MicrophoneError as error: print(type(error).__name__, flush=True)\n"
        "sys.stdin.readline()\n"
        "with Microphone(extractor) as microphone: print(next(microphone).index)\n"
    )
    command = [sys.executable, "-c", program, str(tiny_model)]
    with subprocess.Popen(
        command, env=sink.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Microphone")
        sink.start()
        output, _ = process.communicate("\n", timeout=60)
    assert output == "0\n"
