"""Percentiles of a summary, in constant memory."""

from __future__ import annotations

import numpy as np
import pytest

from edgevoice.microphone.summary import KEPT, Event, Histogram, Tally
from edgevoice.microphone.timeline import Losses


def test_percentiles_are_those_of_numpy_to_one_percent() -> None:
    durations = np.random.default_rng(0).lognormal(-6, 1, 20_000)
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    for percent in (1, 50, 99, 99.9):
        expected = np.percentile(durations, percent, method="inverted_cdf")
        assert histogram.percentile(percent) == pytest.approx(expected, rel=0.01)
    assert histogram.largest == durations.max()
    assert histogram.percentile(100) <= histogram.largest


def test_durations_out_of_range_count_as_the_ends_of_it() -> None:
    histogram = Histogram()
    for seconds in (0.0, 1e9):
        histogram.add(seconds)
    assert histogram.percentile(50) == 1e-6
    assert histogram.percentile(100) == pytest.approx(1e4, rel=0.01)
    assert histogram.largest == 1e9


def test_a_summary_tells_percentiles_once_there_is_a_duration() -> None:
    histogram = Histogram()
    assert histogram.percentiles() is None
    histogram.add(0.02)
    percentiles = histogram.percentiles()
    assert percentiles is not None
    assert percentiles.p50 == pytest.approx(0.02, rel=0.01)
    assert str(percentiles).endswith("max 20.0 ms")


def test_a_tally_looks_back() -> None:
    tally = Tally()
    for second in range(200):
        tally.add(second, Event(Losses(queue=second), samples=100, busy=0.5, computing=[0.01], latency=0.001 * second))
    everything = tally.counts().summary("m", 100, 1, 3)
    assert (everything.frames, everything.waiting) == (200, 3)
    assert everything.lost_queue == sum(range(200)) / 100
    recent = tally.counts(since=190).summary("m", 100, 1, 3)
    assert recent.frames == 10
    assert recent.lost_queue == sum(range(190, 200)) / 100
    assert recent.seconds == 10 + recent.lost
    assert recent.latency is not None
    assert recent.latency.p50 == pytest.approx(0.194, rel=0.01)
    assert recent.load == pytest.approx(5 / recent.seconds)
    assert tally.counts(since=0).summary("m", 100, 1, 0).frames == KEPT + 1, "older events are forgotten"
