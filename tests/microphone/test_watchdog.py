"""The watchdog, by a clock that goes on while it waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from edgevoice.microphone import watchdog
from edgevoice.microphone.capture import BlockQueue, Capture, Lost
from edgevoice.microphone.watchdog import Watchdog
from microphone.fakeclock import FakeClock


class SilencedCapture:
    """Delivers for so many seconds, then nothing."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self._clock, self._until = clock, clock.now + seconds
        self.has_ended = False
        self.ended: Callable[[], object] = lambda: None
        self.closed = threading.Event()

    @property
    def delivered(self) -> int:
        return round(16_000 * min(self._clock.now, self._until))

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Goes on with every wait of the watchdog."""
    clock = FakeClock()

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if not self.is_set():
                clock.sleep(timeout or 0)
            return self.is_set()

    monkeypatch.setattr(watchdog, "threading", SimpleNamespace(Event=Event, Thread=threading.Thread))
    return clock


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3600.1])
def test_a_device_that_falls_silent_is_lost_within_two_seconds(clock: FakeClock, seconds: float) -> None:
    started, blocks, capture = clock.now, BlockQueue(200), SilencedCapture(clock, seconds)
    Watchdog(cast("Capture", capture), blocks, None)
    assert blocks.get(20) == Lost("it has delivered nothing for 1.5 s", awaited=False)
    assert 1.5 <= clock.now - started - seconds <= 2
    assert capture.closed.wait(20)
