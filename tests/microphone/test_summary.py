"""Sums and percentiles of a summary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.microphone.summary import KEPT, Event, Percentiles, Tally
from edgevoice.microphone.timeline import Losses


@given(st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=300))
def test_percentiles_are_those_of_numpy(durations: list[float]) -> None:
    found = Percentiles.of(durations, largest=1.0)
    assert found is not None
    expected = np.percentile(durations, (50, 99), method="inverted_cdf")
    assert [found.p50, found.p99] == expected.tolist()
    assert found.max == max(*durations, 1.0)
    assert Percentiles.of([]) is None


def test_a_tally_looks_back() -> None:
    tally = Tally()
    for second in range(200):
        tally.add(second, Event(Losses(queue=second), samples=100, busy=0.5, frames=1, latency=0.001 * second))
    everything = tally.summary("m", 100, 1, 3)
    assert (everything.frames, everything.waiting) == (200, 3)
    assert everything.lost_queue == sum(range(200)) / 100
    recent = tally.summary("m", 100, 1, 3, since=190)
    assert recent.frames == 10
    assert recent.lost_queue == sum(range(190, 200)) / 100
    assert recent.seconds == 10 + recent.lost
    assert recent.latency is not None
    assert (recent.latency.p50, recent.latency.max) == pytest.approx((0.194, 0.199))
    assert everything.latency is not None
    assert everything.latency.p50 == pytest.approx(0.169)
    assert recent.load == pytest.approx(5 / recent.seconds)
    assert tally.summary("m", 100, 1, 0, since=0).frames == KEPT + 1, "older events are forgotten"
