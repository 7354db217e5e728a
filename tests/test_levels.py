"""Levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice import ArgumentError, ModelConfigError
from edgevoice.config import LevelConfig
from edgevoice.levels import LEVELS, Level, Running, Steps, Window, find_level

CONFIG = LevelConfig("running", 800, 0.05, 0.99, 1e-3)


def follow(level: Level, samples: np.ndarray, lost: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    steps = Steps.measure(samples, CONFIG.step)
    return level.follow(steps, np.zeros(len(steps.mean), np.bool_) if lost is None else lost)


def by_the_definition(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, peak, means, peaks = None, 0.0, [], []
    for step in samples.astype(np.float64).reshape(-1, CONFIG.step):
        mean = step.mean() if mean is None else mean + CONFIG.mean_rate * (step.mean() - mean)
        peak = max(CONFIG.decay * peak, np.abs(step - mean).max(), CONFIG.peak_floor)
        means.append(mean)
        peaks.append(peak)
    return np.array(means), np.array(peaks)


def test_running_level_follows_its_definition(noise: np.ndarray) -> None:
    offsets, gains = follow(Running(CONFIG), noise)
    mean, peak = by_the_definition(noise)
    np.testing.assert_allclose(offsets, mean, rtol=1e-12)
    np.testing.assert_allclose(1 / gains, peak, rtol=1e-12)


@given(cuts=st.lists(st.integers(0, 30), max_size=8))
def test_running_level_does_not_depend_on_the_cuts(cuts: list[int]) -> None:
    samples = np.random.default_rng(1).standard_normal(100 * 800).astype(np.float32)
    whole = follow(Running(CONFIG), samples)
    level, parts, at = Running(CONFIG), [], 0
    for cut in [*cuts, 100]:
        parts.append(follow(level, samples[at * 800 : (at + cut) * 800]))
        at = min(100, at + cut)
    for k in range(2):
        assert np.concatenate([part[k] for part in parts]).tobytes() == whole[k].tobytes()


def test_lost_steps_leave_the_level_as_it_is(noise: np.ndarray) -> None:
    lost = np.zeros(200, np.bool_)
    lost[50:90] = True
    offsets, gains = follow(Running(CONFIG), noise, lost)
    assert (offsets[50:90] == offsets[49]).all()
    assert (gains[50:90] == gains[49]).all()
    kept = follow(Running(CONFIG), noise.reshape(200, 800)[~lost].reshape(-1))
    assert kept[0].tobytes() == offsets[~lost].tobytes()


def test_the_level_of_a_window_is_its_own(noise: np.ndarray) -> None:
    steps = Steps(*(part.reshape(-1, 10) for part in Steps.measure(noise, 800)))
    offset, gain = Window(CONFIG).of_windows(steps, np.zeros(20), np.ones(20))
    windows = noise.reshape(20, 8000).astype(np.float64)
    np.testing.assert_allclose(offset, windows.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(1 / gain, np.abs(windows - offset[:, None]).max(axis=1), rtol=1e-12)


def test_an_utterance_settles_once_it_is_known(noise: np.ndarray) -> None:
    level = find_level("utterance", CONFIG)
    assert level.needs_whole
    settled = level.with_statistics(float(noise.mean()), float(noise.min()), float(noise.max()))
    assert not settled.needs_whole
    offset, gain = follow(settled, noise)
    assert np.abs((noise - offset[0]) * gain[0]).max() == pytest.approx(1)


@pytest.mark.parametrize("name", [*LEVELS, 3.0, np.float32(2)])
@given(start=st.integers(0, 150_000))
def test_a_track_gives_the_level_of_windows_at_any_place(noise: np.ndarray, name: str | float, start: int) -> None:
    at = find_level(name, CONFIG).track(noise)
    end = start + 8000
    offset, gain = at(start, end)
    if name == "running":
        mean, peak = by_the_definition(noise[: end // 800 * 800])
        rest = np.abs(noise[end // 800 * 800 : end] - mean[-1]).max(initial=0)
        expected = mean[-1], 1 / max(peak[-1], rest)
    elif isinstance(name, str):
        heard = (noise if name == "utterance" else noise[start:end]).astype(np.float64)
        expected = heard.mean(), 1 / np.abs(heard - heard.mean()).max()
    else:
        expected = 0.0, name
    np.testing.assert_allclose((offset, gain), expected, rtol=1e-6)


@pytest.mark.parametrize("level", ["loud", 0, -1.0, float("nan"), float("inf"), 1e9, True, [1]])
def test_levels_that_are_none(level: object) -> None:
    with pytest.raises(ArgumentError):
        find_level(level, CONFIG)  # type: ignore[arg-type]


def test_a_model_whose_level_is_not_known() -> None:
    with pytest.raises(ModelConfigError, match=r"level\.default: 'loud' is not one of running, utterance, window"):
        find_level(None, LevelConfig("loud", 800, 0.05, 0.99, 1e-3))
