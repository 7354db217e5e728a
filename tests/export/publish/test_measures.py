"""The verdict on an adapted model: an interval over speakers, and what follows from it."""

from __future__ import annotations

import numpy as np
import pytest

from edgevoice_export.publish.measures import Verdict


def verdict(changes: list[float]) -> Verdict:
    """Of speakers with two recordings each, whose errors change by these factors."""
    rng = np.random.default_rng(0)
    before = [rng.uniform(1, 2, (5, 8)).astype(np.float32) for _ in range(2 * len(changes))]
    after = [rows * np.float32(changes[k // 2]) for k, rows in enumerate(before)]
    return Verdict.between(before, after, [f"speaker {k // 2}" for k in range(len(before))])


def test_interval_is_students_over_speakers():
    stats = pytest.importorskip("scipy.stats")
    for count in (2, 3, 5, 6, 9, 30):
        changes = np.random.default_rng(count).uniform(0.9, 1.05, count)
        found = verdict(changes.tolist())
        logs = np.log(changes)
        expected = stats.t.interval(0.95, count - 1, logs.mean(), logs.std(ddof=1) / np.sqrt(count))
        assert found.change == pytest.approx(np.expm1(logs.mean()), rel=1e-3, abs=1e-6)
        assert (found.low, found.high) == pytest.approx(np.expm1(expected), rel=0.02, abs=2e-4)


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ([0.9, 0.88, 0.91], "better"),
        ([1.1, 1.12, 1.1], "worse"),
        ([0.9, 1.12, 1.0], "no difference"),
        ([0.5], "one speaker"),
    ],
)
def test_conclusion(changes: list[float], begins: str):
    assert str(verdict(changes)).startswith(begins)
