"""Microphone with a fake sounddevice: the tests give it its samples, flags and faults."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice import ArgumentError, Extractor, Microphone, ModelUseError
from microphone.fakesounddevice import FakeClock, FakeSoundDevice, assert_equal, take, wait_until


def test_frames_equal_those_of_the_file_bit_for_bit(fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray) -> None:
    with Microphone(tiny, np.int64(0)) as microphone:  # type: ignore[arg-type]
        assert fake.streams, "capturing begins at once"
        fake.stream.give(voice)
        frames = take(microphone)
    assert_equal(frames, tiny.extract((voice, 16000)))
    assert not any(frame.gap for frame in frames)
    assert fake.stream.calls == ["start", "abort", "close"]


@pytest.mark.parametrize("form", [(48000, 1), (44100, 2), (16000, 2)])
def test_other_rates_and_channels_equal_those_of_the_recording(
    fake: FakeSoundDevice, tiny: Extractor, tmp_path: Path, form: tuple[int, int]
) -> None:
    rate, channels = form
    fake.devices[0]["default_samplerate"] = float(rate)
    fake.forms = {form}
    samples = np.random.default_rng(1).integers(-9000, 9000, (3 * rate, channels)).astype(np.int16)
    with Microphone(tiny, record=tmp_path / "captured.wav", seconds=2.9) as microphone:
        assert (microphone.rate, microphone.channels) == form
        fake.stream.give(samples)
        frames = list(microphone)
    recorded, recorded_rate = soundfile.read(tmp_path / "captured.wav", dtype="int16", always_2d=True)
    assert recorded_rate == rate
    np.testing.assert_array_equal(recorded, samples[: round(2.9 * rate)])
    assert soundfile.info(tmp_path / "captured.wav").subtype == "PCM_16"
    assert_equal(frames, tiny.extract(tmp_path / "captured.wav"))


def test_options_reach_the_stream(fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray) -> None:
    both = np.stack([voice, voice[::-1]], axis=1)
    with Microphone(tiny, rate=48000, level=0.5, hop=0.1, channel=1, seconds=np.int8(1)) as microphone:
        fake.stream.give(both)
        frames = list(microphone)
    assert (microphone.rate, microphone.channels) == (48000, 2)
    assert_equal(frames, tiny.extract((both[:48000], 48000), level=0.5, hop=0.1, channel=1))


def test_frames_carry_latency_and_wall_clock(
    fake: FakeSoundDevice, clock: FakeClock, tiny: Extractor, voice: np.ndarray
) -> None:
    with Microphone(tiny) as microphone:
        fake.stream.speak(voice[:12_000])
        clock.sleep(0.01)
        first, second = take(microphone)
    assert first.latency == pytest.approx(0.26)
    assert first.captured == pytest.approx(clock.now - 0.26)
    assert first.time == pytest.approx(clock.time() - 0.26)
    assert second.latency == pytest.approx(0.01)
    assert (first.to_dict()["time"], first.to_dict()["latency"]) == (first.time, first.latency)
    summary = microphone.summary()
    assert summary.frames == 2
    assert summary.latency is not None
    assert summary.computing is not None
    assert summary.latency.max == pytest.approx(first.latency, rel=0.01)
    assert 0 < summary.computing.p50 <= summary.computing.max
    assert 0 < summary.load < 1
    assert "frames: 2, of which 0 touch gaps" in str(summary)
    clock.sleep(2.0)
    assert (microphone.summary(recent=2.5).frames, microphone.summary(recent=1.5).frames) == (2, 0)
    for wrong in (0, -1, 61, "2"):
        with pytest.raises(ArgumentError):
            microphone.summary(wrong)  # type: ignore[arg-type]
    assert microphone.read(timeout=np.inf) is None  # it has ended
    with pytest.raises(ArgumentError, match="timeout"):
        microphone.read(timeout="2")  # type: ignore[arg-type]


def test_the_model_is_warm_before_the_device_opens(
    fake: FakeSoundDevice, tiny: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[int] = []
    push = edgevoice.Stream.push

    def watched(stream: edgevoice.Stream, samples: np.ndarray) -> edgevoice.Features:
        pushed.append(len(fake.streams))
        return push(stream, samples)

    monkeypatch.setattr(edgevoice.Stream, "push", watched)
    Microphone(tiny).close()
    assert pushed == [0]


def test_a_slow_consumer_loses_the_oldest_audio_and_is_told(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path
) -> None:
    with Microphone(tiny, backlog=2.0, record=tmp_path / "captured.wav") as microphone:
        fake.stream.give(voice[:16_000])
        frames = take(microphone)
        fake.stream.give(voice[16_000:])
        frames += take(microphone)
        summary = microphone.summary()
    assert summary.lost == summary.lost_queue == 7.0
    expected = (160_000 - 8000) // 4000 + 1
    assert summary.frames + summary.lost_windows == expected == frames[-1].index + 1
    assert [frame.index for frame in frames if frame.gap] == [3, 31]
    captured, _ = soundfile.read(tmp_path / "captured.wav", dtype="int16")
    heard = voice.copy()
    heard[16_000:128_000] = 0
    np.testing.assert_array_equal(captured, heard)


@pytest.mark.parametrize(("flag", "lost"), [("input_overflow", 1 / 16_000), ("input_underflow", 0.05)])
def test_what_portaudio_reports_is_a_gap(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, flag: str, lost: float
) -> None:
    """An overflow, and a block that is filled up with zeros."""
    with Microphone(tiny) as microphone:
        fake.stream.give(voice[:16_000])
        fake.stream.give(voice[16_000:40_000], **{flag: True})
        frames = take(microphone)
        assert microphone.summary().lost_device == pytest.approx(lost, abs=0.05)
    assert [frame.index for frame in frames if frame.gap] == [3, 4]


def test_losses_beyond_the_seconds_asked_for_are_not_counted(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray
) -> None:
    with Microphone(tiny, seconds=3.0, backlog=2.0) as microphone:
        fake.stream.give(voice[:16_000])
        take(microphone)
        fake.stream.give(voice[16_000:])  # of nine seconds the first seven are dropped
        frames = list(microphone)
        assert microphone.ended
        assert microphone.read() is None
        summary = microphone.summary()
    assert (summary.seconds, summary.lost, summary.lost_queue) == (3.0, 2.0, 2.0)
    assert summary.frames + summary.lost_windows == 11
    assert sum(frame.gap for frame in frames) == summary.gap_frames == 1


def test_stop_delivers_what_was_captured(fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray) -> None:
    with Microphone(tiny) as microphone:
        fake.stream.give(voice)
        microphone.stop()
        assert len(list(microphone)) == 39
        assert microphone.ended
        fake.stream.give(voice)
        assert microphone.read() is None
    assert "close" in fake.stream.calls


def test_read_waits_for_a_frame_and_no_longer_than_asked(
    fake: FakeSoundDevice, clock: FakeClock, tiny: Extractor, voice: np.ndarray
) -> None:
    with Microphone(tiny) as microphone:
        started = clock.now
        assert microphone.read(timeout=0.2) is None
        assert "latency: -" in str(microphone.summary())
        assert clock.now - started == pytest.approx(0.2)
        threading.Timer(0.2, lambda: fake.stream.give(voice[:8000])).start()
        frame = microphone.read()
        assert frame is not None
        assert frame.end == 0.5


def test_closing_from_another_thread_ends_the_iteration(fake: FakeSoundDevice, tiny: Extractor) -> None:
    microphone = Microphone(tiny)
    threading.Timer(0.2, microphone.close).start()
    assert list(microphone) == []
    microphone.close()


def test_a_cancelled_task_loses_no_frame(fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray) -> None:
    async def listen() -> list[int]:
        with Microphone(tiny, seconds=2.0) as microphone:
            task = asyncio.ensure_future(anext(microphone))
            await asyncio.sleep(0.05)
            task.cancel()
            fake.stream.give(voice)
            return [frame.index async for frame in microphone]

    assert asyncio.run(listen()) == [0, 1, 2, 3, 4, 5, 6]


def test_a_microphone_that_is_forgotten_closes_its_device(fake: FakeSoundDevice, tiny: Extractor) -> None:
    Microphone(tiny)
    gc.collect()
    wait_until(lambda: "close" in fake.stream.calls)


WRONG = {
    "device": (1.5, True, b"x"),
    "channel": (-1, 2),
    "seconds": (0, float("nan")),
    "backlog": (0.5,),
    "rate": (10,),
    "level": ("loud", "utterance"),
    "hop": (0.01,),
    "record": ("captured.mp3", 5, "a\0.wav"),
    "tap": (5,),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_impossible_arguments(fake: FakeSoundDevice, tiny: Extractor, name: str, value: object) -> None:
    with pytest.raises(ModelUseError if value == "utterance" else ArgumentError):
        Microphone(tiny, **{name: value})  # type: ignore[arg-type]
    assert all("close" in stream.calls for stream in fake.streams)
    assert not fake.streams or name == "channel"


@pytest.mark.parametrize("error", [edgevoice.DeviceMemoryError("no memory"), LookupError("no window to draw in")])
def test_an_error_in_computing_or_of_a_tap_ends_it(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> edgevoice.Features:
        raise error

    with Microphone(tiny, tap=fail) as microphone:
        if isinstance(error, edgevoice.DeviceMemoryError):
            monkeypatch.setattr(edgevoice.Stream, "push", fail)
        fake.stream.give(voice)
        for _ in range(2):
            with pytest.raises(type(error)):
                microphone.read()
        assert microphone.ended
    assert "close" in fake.stream.calls


def test_a_tap_hears_each_block_as_it_was_captured(
    fake: FakeSoundDevice, clock: FakeClock, tiny: Extractor, voice: np.ndarray
) -> None:
    heard: list[tuple[np.ndarray, float]] = []
    with Microphone(tiny, channel=1, tap=lambda samples, captured: heard.append((samples, captured))) as microphone:
        fake.stream.speak(np.stack([voice[:16_000], voice[16_000:32_000]], axis=1))
        take(microphone)
    np.testing.assert_array_equal(np.concatenate([samples[:, 0] for samples, _ in heard]), voice[:16_000])
    np.testing.assert_array_equal(np.concatenate([samples[:, 1] for samples, _ in heard]), voice[16_000:32_000])
    assert heard[0][0].dtype == np.int16
    assert np.diff([captured for _, captured in heard]) == pytest.approx(0.05, abs=1e-6)
    assert heard[-1][1] == pytest.approx(clock.now, abs=1e-6)
