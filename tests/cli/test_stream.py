"""`edgevoice stream` from files and pipes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.cli.stream import pace
from edgevoice.features import Features


def assert_same(text: str, features: Features) -> None:
    """The lines are these features, bit for bit."""
    frames = [json.loads(line) for line in text.splitlines()]
    assert [frame["index"] for frame in frames] == features.index.tolist()
    assert [frame["start"] for frame in frames] == features.start.tolist()
    assert [frame["silent"] for frame in frames] == features.silent.tolist()
    assert not any(frame["gap"] for frame in frames)
    values = np.array([frame["bottleneck"] + frame["error"] for frame in frames]).astype(np.float32)
    assert values.tobytes() == features.values.tobytes()


def test_a_file_gives_what_extract_gives(run: Callable, speech: Path, tiny: edgevoice.Extractor, tmp_path: Path) -> None:
    outcome = run("stream", speech)
    assert (outcome.code, outcome.err) == (0, "")
    assert_same(outcome.out, tiny.extract(speech))
    samples, _ = soundfile.read(speech)
    stereo = tmp_path / "stereo.flac"
    soundfile.write(stereo, np.stack([samples, 0.5 * samples], axis=1), 22050)
    options = ("--level", "window", "--hop", "0.3", "--channel", "1")
    assert_same(run("stream", stereo, *options).out, tiny.extract(stereo, level="window", hop=0.3, channel=1))
    assert_same(run("stream", speech, "--seconds", "1.3").out, tiny.extract(speech, end=1.3))


@pytest.mark.parametrize(("dtype", "channels"), [("int16", 1), ("int16", 2), ("float32", 1)])
def test_raw_pcm_on_standard_input(
    start: Callable, speech: Path, tiny: edgevoice.Extractor, dtype: str, channels: int
) -> None:
    samples, rate = soundfile.read(speech, dtype=dtype)
    samples = np.stack([samples] * channels, axis=1)
    process = start("stream", "-", "--rate", rate, "--channels", channels, "--dtype", dtype)
    out, err = process.communicate(samples.astype(samples.dtype.newbyteorder("<")).tobytes(), timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert_same(out.decode(), tiny.extract((samples, rate)))


def test_a_frame_comes_as_soon_as_its_window_is_complete(start: Callable) -> None:
    process = start("stream", "-", "--rate", "16000")
    for number in range(3):
        process.stdin.write(bytes(2 * (4000 if number else 8000)))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["index"] == number
    process.stdin.write(b"\x00")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == b""
    assert err.startswith(b"edgevoice: standard input: the pipe ended 1 bytes into a sample of 2")


class Clock:
    """Time that passes only where someone sleeps, or says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("edgevoice.cli.stream.time", clock)
    return clock


def test_paced_samples_come_when_a_microphone_would_have_captured_them(clock: Clock) -> None:
    samples = np.arange(1000.0)
    blocks = pace([samples[:30], samples[30:430], samples[430:430], samples[430:]], 1000)
    position = 0
    for block in blocks:
        np.testing.assert_array_equal(block, samples[position : position + len(block)])
        assert len(block) <= 20
        position += len(block)
        assert clock.now == pytest.approx(1000 + position / 1000)
    assert position == 1000


def test_realtime_paces_a_file(run: Callable, speech: Path, tiny: edgevoice.Extractor, clock: Clock) -> None:
    assert_same(run("stream", speech, "--realtime").out, tiny.extract(speech))
    assert clock.now - 1000 == pytest.approx(soundfile.info(speech).duration)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected one source"),
        (("-", "--mic"), "expected one source"),
        (("-",), "does not state its rate: give --rate"),
        (("-", "--rate", "16000", "--realtime"), "--realtime: a pipe has its own pace"),
        (("-", "--rate", "50"), "rate 50: expected a whole number of hertz from 100"),
        (("FILE", "--rate", "8000", "--channels", "2", "--dtype", "int16"), "--rate, --channels, --dtype: only raw PCM"),
        (("FILE", "--channel", "1"), "channel 1: the audio has 1 channel(s)"),
        (("FILE", "--seconds", "0"), "seconds 0.0: expected a number above 0"),
        (("FILE", "--level", "utterance"), "level 'utterance' needs the whole audio"),
        (("FILE", "--record", "x.wav", "--reopen"), "--record, --reopen: needs --mic"),
        (("--mic", "--realtime"), "--realtime: a microphone has its own"),
    ],
)
def test_wrong_usage(
    run: Callable, speech: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        outcome = run("stream", *[str(speech) if argument == "FILE" else argument for argument in arguments])
    assert (outcome.code, outcome.out) == (2, "")
    assert message.replace("FILE", str(speech)) in outcome.err
    assert outcome.err.count("\n") == 1


class Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stdin", [None, Terminal()])
def test_a_terminal_is_no_source_of_pcm(run: Callable, monkeypatch: pytest.MonkeyPatch, stdin: object) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    outcome = run("stream", "-", "--rate", "16000")
    assert (outcome.code, outcome.err) == (1, "edgevoice: standard input: expected raw PCM from a pipe or a file\n")
