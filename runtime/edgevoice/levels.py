"""The offset and gain that bring a window's samples to the scale that a model was trained on.

A level is built from three numbers of every step of samples (mean, lowest, highest), measured once, whatever the kind of
level: they also tell silence. Rounding is monotone, so the largest |x - m| of a step is max(highest - m, m - lowest) to
the last bit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import LEVELS, SILENCE, LevelConfig
from edgevoice.errors import ArgumentError

Floats = NDArray[np.float64]


class Steps(NamedTuple):
    """Mean, lowest and highest sample of consecutive steps, float64 (steps,) each."""

    mean: Floats
    low: Floats
    high: Floats

    @classmethod
    def measure(cls, samples: NDArray[np.floating], step: int) -> Steps:
        """Statistics of samples (steps * step,), each step alone: the same bits in one call or in many."""
        rows = samples.reshape(-1, step)
        # Cast before summing: a reduction that casts on the way works through a buffer whose borders depend on the call.
        mean = np.add.reduce(rows.astype(np.float64), axis=1) / step
        low = np.minimum.reduce(rows, axis=1).astype(np.float64)
        return cls(mean, low, np.maximum.reduce(rows, axis=1).astype(np.float64))


class LevelFollower:
    """The running level: causal, updated at every step.

    m += a (mean of the step - m), starting at the first mean; p = max(d p, largest |x - m| of the step, p_min), with
    a = `mean_rate`, d = `decay`, p_min = `peak_floor`. The offset is m, the gain 1 / p.
    """

    def __init__(self, config: LevelConfig) -> None:
        self._config = config
        self.reset()

    def reset(self) -> None:
        """Forget all steps."""
        self._mean: float | None = None
        self._peak = self._config.peak_floor

    def follow(self, steps: Steps, lost: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Offset and peak after each step, float64 (steps,) each; steps marked as lost leave the level as it is."""
        config, count = self._config, len(steps.mean)
        offsets, peaks = np.empty(count), np.empty(count)
        mean, peak = self._mean, self._peak
        triples = zip(steps.mean.tolist(), steps.low.tolist(), steps.high.tolist(), strict=True)
        for k, (step_mean, low, high) in enumerate(triples):
            if lost is None or not lost[k]:
                mean = step_mean if mean is None else mean + config.mean_rate * (step_mean - mean)
                peak = max(config.decay * peak, high - mean, mean - low, config.peak_floor)
            offsets[k], peaks[k] = mean or 0.0, peak
        self._mean, self._peak = mean, peak
        return offsets, peaks


def whole_level(mean: float, low: float, high: float, config: LevelConfig) -> tuple[float, float]:
    """Offset and gain from the mean, lowest and highest sample of a whole window or utterance."""
    peak = max(high - mean, mean - low)
    divisor = peak + config.peak_constant if config.peak_constant else max(peak, SILENCE)
    return mean, 1 / divisor


def parse_level(level: str | float | None, config: LevelConfig) -> str | float:
    """The level asked for, checked: one of `LEVELS`, or a fixed gain; None is the model's own.

    Raises:
        ArgumentError: another name, or a gain that is not in 2^-15..2^15.
    """
    if level is None:
        return config.default
    if isinstance(level, str):
        if level not in LEVELS:
            raise ArgumentError(f"level {level!r}: expected {', '.join(LEVELS)} or a number (a fixed gain)")
        return level
    if isinstance(level, bool) or not isinstance(level, int | float | np.integer | np.floating):
        raise ArgumentError(f"level {level!r}: expected {', '.join(LEVELS)} or a number (a fixed gain)")
    if not (math.isfinite(level) and SILENCE <= level <= 1 / SILENCE):
        raise ArgumentError(f"level {level}: a fixed gain is from 2^-15 to 2^15")
    return float(level)
