"""A device that goes away, with a fake sounddevice: what is delivered, said, and waited for."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from edgevoice import Extractor, Microphone, MicrophoneLostError, MicrophoneOpenError
from edgevoice.microphone import capture
from edgevoice.microphone.capture import Capture
from edgevoice.microphone.devices import TICK
from microphone.fakesounddevice import FakeClock, FakeSoundDevice, PortAudioError, take, wait_until


def test_a_device_that_ends_delivers_what_came_before(fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray) -> None:
    with Microphone(tiny) as microphone:
        fake.stream.give(voice)
        fake.stream.end()
        frames = [microphone.read() for _ in range(39)]
        assert None not in frames
        for _ in range(2):
            with pytest.raises(MicrophoneLostError, match=r"Fake microphone: it was unplugged"):
                microphone.read()
    assert fake.stream.calls == ["start", "abort", "close"]


def test_closing_does_not_wait_for_a_device_that_hangs(fake: FakeSoundDevice, tiny: Extractor) -> None:
    goes_on = threading.Event()
    fake.block_in_abort = lambda: goes_on.wait(20)
    microphone = Microphone(tiny)
    microphone.close()
    assert fake.stream.calls == ["start", "abort"], "it hangs still"
    with pytest.raises(MicrophoneOpenError, match="audio server hangs"):
        Microphone(tiny)
    goes_on.set()
    fake.block_in_abort = lambda: None
    Microphone(tiny).close()


def test_a_lost_device_is_waited_for_and_the_time_without_it_is_a_gap(
    fake: FakeSoundDevice, clock: FakeClock, tiny: Extractor, voice: np.ndarray, tmp_path: Path
) -> None:
    with Microphone(tiny, reopen=True, record=tmp_path / "captured.wav") as microphone:
        fake.stream.speak(voice[:16_000])
        frames = take(microphone)
        fake.failure = PortAudioError("Device unavailable", -9985)
        fake.stream.end()
        wait_until(lambda: microphone.read(timeout=0) is None and microphone.away is not None)
        assert microphone.away == "it was unplugged, or its audio server ended"
        clock.sleep(2.0)
        fake.failure = None
        wait_until(lambda: len(fake.streams) == 2)
        assert {*fake.attempts} == {(0, 16000, 1)}, "no other form of it will do"
        fake.stream.speak(voice[16_000:48_000])
        frames += take(microphone)
        summary = microphone.summary()
        assert microphone.away is None
    assert summary.lost_reopening == summary.lost == pytest.approx(2.0)
    assert summary.seconds == pytest.approx(5.0)
    assert summary.frames + summary.lost_windows == frames[-1].index + 1
    assert frames[3].gap
    assert not frames[2].gap
    assert not frames[-1].gap
    captured, _ = soundfile.read(tmp_path / "captured.wav", dtype="int16")
    gap = round(summary.lost * 16_000)
    np.testing.assert_array_equal(captured, np.concatenate([voice[:16_000], np.zeros(gap, np.int16), voice[16_000:48_000]]))


def test_seconds_go_by_while_a_lost_device_is_waited_for(
    fake: FakeSoundDevice, clock: FakeClock, tiny: Extractor, voice: np.ndarray
) -> None:
    with Microphone(tiny, reopen=True, seconds=3.0) as microphone:
        fake.stream.speak(voice[:16_000])
        fake.failure = PortAudioError("Device unavailable", -9985)
        fake.stream.end()
        started = clock.now
        frames = list(microphone)
        assert 2.0 <= clock.now - started <= 2.0 + TICK
        summary = microphone.summary()
    assert summary.seconds == 3.0
    assert summary.lost_reopening == pytest.approx(2.0)
    assert len(frames) + summary.lost_windows == 11


def test_a_device_that_is_waited_for_can_be_closed(fake: FakeSoundDevice, tiny: Extractor) -> None:
    with Microphone(tiny, reopen=True) as microphone:
        fake.failure = PortAudioError("Device unavailable", -9985)
        fake.stream.end()
        assert microphone.read(timeout=0.2) is None
        microphone.stop()
        assert list(microphone) == []


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3600.1])
def test_a_device_that_falls_silent_is_lost_within_two_seconds(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Waits of the watchdog take no time here; the device delivers for so many seconds, then nothing."""
    clock = FakeClock()
    until = clock.now + seconds

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if not self.is_set():
                clock.sleep(timeout or 0)
                if clock.now < until + TICK:
                    fake.stream.give(np.zeros(fake.stream.size, np.int16))
            return self.is_set()

    monkeypatch.setattr(capture, "threading", SimpleNamespace(Event=Event, Thread=threading.Thread))
    silenced, item = Capture(None, (16000,), channels=1, step=0.05), None
    while not isinstance(item, str):
        item = silenced.get(20)
    assert item == "it has delivered nothing for 1.5 s"
    assert 1.5 <= clock.now - until <= 2
    wait_until(lambda: "close" in fake.stream.calls)
