"""Levels: the offset and gain that bring a window's samples to the scale that a model was trained on.

All of them work on four numbers of every step of samples, which are measured once: the same numbers also tell silence and
loudness. Rounding is monotone, so the largest |x - m| of a step is max(highest - m, m - lowest) to the last bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.samples import as_float
from edgevoice.config import SILENCE, LevelConfig
from edgevoice.errors import ArgumentError, ModelConfigError

Floats = NDArray[np.float64]
Track = Callable[[int, int], tuple[float, float]]
"""Computes offset and gain of the window samples[start:end] of a recording in memory."""


class Steps(NamedTuple):
    """Mean, lowest and highest sample, and mean square of consecutive steps: float64 (steps,) each."""

    mean: Floats
    low: Floats
    high: Floats
    power: Floats

    @classmethod
    def measure(cls, samples: NDArray[np.floating], step: int) -> Steps:
        """Compute the statistics of samples (steps * step,) step by step: the bits do not depend on the number of steps."""
        rows = samples.reshape(-1, step)
        # Cast before summing: a reduction that casts on the way works through a buffer whose borders depend on the call.
        exact = rows.astype(np.float64)
        mean = np.add.reduce(exact, axis=1) / step
        np.multiply(exact, exact, out=exact)
        power = np.add.reduce(exact, axis=1) / step
        low = np.minimum.reduce(rows, axis=1).astype(np.float64)
        return cls(mean, low, np.maximum.reduce(rows, axis=1).astype(np.float64), power)


class Level(ABC):
    """The level of one source, and its state: follows its steps, and gives every window an offset and a gain.

    The samples x of a window become (x - offset) gain.
    """

    name: ClassVar[str]
    """The name of the level."""
    needs_whole: ClassVar[bool] = False
    """Whether the whole source must be known before its first window: see `with_statistics`."""

    def __init__(self, config: LevelConfig) -> None:
        self._config = config
        self.reset()

    def reset(self) -> None:  # noqa: B027 - most levels have nothing to forget
        """Reset the level for a new source."""

    def with_statistics(self, mean: float, low: float, high: float) -> Level:  # noqa: ARG002
        """The level after mean, lowest and highest sample of the whole source are known; most levels return themselves."""
        return self

    def follow(self, steps: Steps, lost: NDArray[np.bool_]) -> tuple[Floats, Floats]:  # noqa: ARG002
        """Take the next steps of the source; return offset and gain after each of them, float64 (steps,).

        Args:
            steps: statistics of the steps.
            lost: which of them hold lost samples: these leave the level as it is, (steps,).
        """
        return np.zeros(len(steps.mean)), np.ones(len(steps.mean))

    def of_windows(self, steps: Steps, offset: Floats, gain: Floats) -> tuple[Floats, Floats]:  # noqa: ARG002
        """Offset and gain of n windows, float64 (n,).

        Args:
            steps: statistics of the windows' steps, (n, steps) each.
            offset: what `follow` gave after the last step of each window, (n,).
            gain: the gain at the same places, (n,).
        """
        return offset, gain

    @abstractmethod
    def track(self, samples: NDArray[np.float32]) -> Track:
        """A function that gives offset and gain of any window of a recording in memory, float32 (samples,), for training."""


class Running(Level):
    """Causal: a running mean and a slowly falling peak, updated at every step.

    m += a (mean of the step - m), starting at the first mean; p = max(d p, largest |x - m| of the step, p_min), with
    a = `mean_rate`, d = `decay`, p_min = `peak_floor`. The offset is m, the gain 1 / p.
    """

    name = "running"

    def reset(self) -> None:
        """Reset the level for a new source."""
        self._mean: float | None = None
        self._peak = self._config.peak_floor

    def follow(self, steps: Steps, lost: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Mean and inverse peak after each step."""
        config, count = self._config, len(steps.mean)
        offsets, peaks = np.empty(count), np.empty(count)
        mean, peak = self._mean, self._peak
        values = zip(steps.mean.tolist(), steps.low.tolist(), steps.high.tolist(), lost.tolist(), strict=True)
        for k, (step_mean, low, high, gone) in enumerate(values):
            if not gone:
                mean = step_mean if mean is None else mean + config.mean_rate * (step_mean - mean)
                peak = max(config.decay * peak, high - mean, mean - low, config.peak_floor)
            offsets[k], peaks[k] = mean or 0.0, peak
        self._mean, self._peak = mean, peak
        return offsets, np.divide(1.0, peaks, out=peaks)

    def track(self, samples: NDArray[np.float32]) -> Track:
        """The state after the last complete step of a window, with the peak raised by the samples that follow that step."""
        step = self._config.step
        whole = samples[: len(samples) // step * step]
        offsets, gains = Running(self._config).follow(Steps.measure(whole, step), np.zeros(len(whole) // step, np.bool_))

        def at(start: int, end: int) -> tuple[float, float]:  # noqa: ARG001
            last = end // step - 1
            offset, gain = float(offsets[last]), float(gains[last])
            rest = float(np.abs(samples[end // step * step : end] - offset).max(initial=0))
            return offset, min(gain, 1 / rest) if rest else gain

        return at


class Window(Level):
    """The level of each window comes from its own mean and peak."""

    name = "window"

    def of_windows(self, steps: Steps, offset: Floats, gain: Floats) -> tuple[Floats, Floats]:  # noqa: ARG002
        """Compute it from the windows' own steps."""
        # Row by row: a reduction over two dimensions need not add in the same order for one row and for many.
        mean = np.array([np.add.reduce(row) / len(row) for row in steps.mean])
        edges = zip(mean.tolist(), steps.low.min(axis=1).tolist(), steps.high.max(axis=1).tolist(), strict=True)
        return mean, np.array([inverse_peak(*values, self._config) for values in edges])

    def track(self, samples: NDArray[np.float32]) -> Track:
        """Compute it from the window's own samples."""

        def at(start: int, end: int) -> tuple[float, float]:
            window = samples[start:end]
            mean = float(window.mean(dtype=np.float64))
            return mean, inverse_peak(mean, float(window.min()), float(window.max()), self._config)

        return at


class Utterance(Level):
    """The level comes from mean and peak of the whole source, as in DisVoice."""

    name = "utterance"
    needs_whole = True

    def with_statistics(self, mean: float, low: float, high: float) -> Level:
        """One offset and gain for all windows."""
        return Fixed(self._config, mean, inverse_peak(mean, low, high, self._config))

    def track(self, samples: NDArray[np.float32]) -> Track:
        """Compute it from all samples of the recording."""
        mean = float(samples.mean(dtype=np.float64))
        return self.with_statistics(mean, float(samples.min()), float(samples.max())).track(samples)


class Fixed(Level):
    """One offset and gain for every window: a gain that the user gives, or the values measured over a whole source."""

    name = "a number"

    def __init__(self, config: LevelConfig, offset: float, gain: float) -> None:
        super().__init__(config)
        self._offset, self._gain = offset, gain

    def follow(self, steps: Steps, lost: NDArray[np.bool_]) -> tuple[Floats, Floats]:  # noqa: ARG002
        """The same values after each step."""
        return np.full(len(steps.mean), self._offset), np.full(len(steps.mean), self._gain)

    def track(self, samples: NDArray[np.float32]) -> Track:  # noqa: ARG002
        """The same values for all windows."""
        return lambda _start, _end: (self._offset, self._gain)


LEVELS: dict[str, type[Level]] = {level.name: level for level in (Running, Utterance, Window)}
"""The levels by name."""


def find_level(option: str | float | None, config: LevelConfig) -> Level:
    """Make a level by its name, or from a number, which is a fixed gain; None is the model's own level.

    Raises:
        ArgumentError: another name, or a gain that is not in 2^-15..2^15.
        ModelConfigError: the model's own has a name that is not known here.
    """
    if option is None:
        option = config.default
        if isinstance(option, str) and option not in LEVELS:
            raise ModelConfigError(f"level.default: {option!r} is not one of {', '.join(LEVELS)}")
    if isinstance(option, str) and option in LEVELS:
        return LEVELS[option](config)
    gain = as_float(option)
    if not SILENCE <= gain <= 1 / SILENCE:
        raise ArgumentError(f"level {option!r}: expected {', '.join(LEVELS)} or a fixed gain from 2^-15 to 2^15")
    return Fixed(config, 0.0, gain)


def live_option(config: LevelConfig) -> float | None:
    """The level with which to try a model live: its own, or a gain of 1 where its own needs the whole source."""
    return 1.0 if find_level(None, config).needs_whole else None


def inverse_peak(mean: float, low: float, high: float, config: LevelConfig) -> float:
    """The gain that brings samples with this mean, lowest and highest one to a peak of 1."""
    peak = max(high - mean, mean - low)
    return 1 / (peak + config.peak_constant if config.peak_constant else max(peak, SILENCE))
