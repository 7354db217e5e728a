"""Streams are played in real time, and their number is found."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from edgevoice import Extractor
from edgevoice.bench.livestreams import LATENESS, Load, hold_streams, play


class Clock(threading.local):
    """Time that passes while a thread sleeps, and at no other moment."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_every_frame_is_counted_once(tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.bench.livestreams.time", Clock())
    lateness = play(Load(tiny, noise, "running"), count=5, threads=2, seconds=1.995)
    # In the ten turns from 1 s to 1.9 s each stream completes four windows; those before do not count.
    assert len(lateness) == 5 * 4
    assert (lateness >= 0).all()
    # Computing takes no time here: what is left is the time from one look at what has arrived to the next.
    assert lateness.max() <= 0.02 + 1e-9


@pytest.mark.parametrize(("capacity", "hop"), [(0, None), (1, None), (37, 1.0), (100, 10.0), (146, None), (400, None)])
def test_number_is_found(
    tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch, capacity: int, hop: float | None
) -> None:
    tried: list[int] = []

    def played(_: Any, count: int, threads: int, seconds: float) -> np.ndarray:
        assert (threads, seconds) == (2, 21.0 if hop == 10.0 else 3.0)  # there are frames in any case
        tried.append(count)
        return np.full(100, LATENESS / 2 if count <= capacity else LATENESS * 2)

    monkeypatch.setattr("edgevoice.bench.livestreams.play", played)
    found = hold_streams(Load(tiny, noise, "running", hop), expected=200, threads=2, seconds=3.0)
    assert capacity - 4 <= found.count <= capacity
    assert len(tried) < 12
    assert found.p99_ms <= 1e3 * LATENESS
