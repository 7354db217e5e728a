"""Levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice import ArgumentError
from edgevoice.config import LevelConfig
from edgevoice.levels import LevelFollower, Steps, parse_level, whole_level

CONFIG = LevelConfig("running", 800, 0.05, 0.99, 1e-3)


def by_the_definition(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, peak, means, peaks = None, 0.0, [], []
    for step in samples.astype(np.float64).reshape(-1, CONFIG.step):
        mean = step.mean() if mean is None else mean + CONFIG.mean_rate * (step.mean() - mean)
        peak = max(CONFIG.decay * peak, np.abs(step - mean).max(), CONFIG.peak_floor)
        means.append(mean)
        peaks.append(peak)
    return np.array(means), np.array(peaks)


def test_running_level_follows_its_definition(noise: np.ndarray) -> None:
    offsets, peaks = LevelFollower(CONFIG).follow(Steps.measure(noise, CONFIG.step))
    mean, peak = by_the_definition(noise)
    np.testing.assert_allclose(offsets, mean, rtol=1e-12)
    np.testing.assert_allclose(peaks, peak, rtol=1e-12)


@given(cuts=st.lists(st.integers(0, 30), max_size=8))
def test_running_level_does_not_depend_on_the_cuts(cuts: list[int]) -> None:
    samples = np.random.default_rng(1).standard_normal(100 * 800).astype(np.float32)
    whole = LevelFollower(CONFIG).follow(Steps.measure(samples, CONFIG.step))
    follower, parts, at = LevelFollower(CONFIG), [], 0
    for cut in [*cuts, 100]:
        parts.append(follower.follow(Steps.measure(samples[at * 800 : (at + cut) * 800], CONFIG.step)))
        at = min(100, at + cut)
    for k in range(2):
        assert np.concatenate([part[k] for part in parts]).tobytes() == whole[k].tobytes()


def test_lost_steps_leave_the_level_as_it_is(noise: np.ndarray) -> None:
    steps = Steps.measure(noise, 800)
    lost = np.zeros(200, np.bool_)
    lost[50:90] = True
    offsets, peaks = LevelFollower(CONFIG).follow(steps, lost)
    assert (offsets[50:90] == offsets[49]).all()
    assert (peaks[50:90] == peaks[49]).all()
    kept = LevelFollower(CONFIG).follow(Steps(*(part[~lost] for part in steps)))
    assert kept[0].tobytes() == offsets[~lost].tobytes()


def test_reset_forgets(noise: np.ndarray) -> None:
    follower = LevelFollower(CONFIG)
    first = follower.follow(Steps.measure(noise, CONFIG.step))
    follower.reset()
    assert follower.follow(Steps.measure(noise, CONFIG.step))[1].tobytes() == first[1].tobytes()


def test_whole_level() -> None:
    assert whole_level(0.25, -0.25, 0.5, CONFIG) == (0.25, 2.0)
    assert whole_level(0.5, 0.5, 0.5, CONFIG) == (0.5, 2.0**15)
    with_constant = LevelConfig("window", 400, 0.05, 0.99, 1e-3, peak_constant=1e-10)
    assert whole_level(0.0, 0.0, 0.0, with_constant) == (0.0, 1e10)


@pytest.mark.parametrize("level", ["loud", 0, -1.0, float("nan"), float("inf"), 1e9, True, [1]])
def test_levels_that_are_none(level: object) -> None:
    with pytest.raises(ArgumentError):
        parse_level(level, CONFIG)  # type: ignore[arg-type]


def test_levels_that_are_some() -> None:
    assert parse_level(None, CONFIG) == "running"
    assert parse_level("window", CONFIG) == "window"
    assert parse_level(np.float32(2), CONFIG) == 2.0
