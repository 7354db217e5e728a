"""Functionals: what remains of features when time is taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError

FUNCTIONALS = ("mean", "std", "skewness", "kurtosis")

_COLUMNS = 8
"""Columns computed at a time, so that hours of frames are not held several times over in float64."""

_DEGENERATE = 1e-7
"""Standard deviation, relative to the mean, up to which a float32 column counts as constant."""


def compute_functionals(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mean, standard deviation, skewness and kurtosis of each column: float32 (4 columns,), functional by functional.

    Population standard deviation, biased skewness m3 / m2^1.5, excess kurtosis m4 / m2^2 - 3, computed in float64. Where
    the variance is at most (1e-7 mean)^2, as with a single frame, skewness and kurtosis are 0.

    Raises:
        ArgumentError: there is no row.
    """
    if not len(values):
        raise ArgumentError("functionals of no frames: at least one is needed")
    parts = [_moments(values[:, k : k + _COLUMNS].astype(np.float64)) for k in range(0, values.shape[1], _COLUMNS)]
    return np.concatenate(parts, axis=1).ravel().astype(np.float32) if parts else np.empty(0, np.float32)


def _moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The four of each column, (4, columns)."""
    mean = values.mean(axis=0)
    deviation = values - mean
    squared = deviation * deviation
    variance = squared.mean(axis=0)
    constant = variance <= (_DEGENERATE * mean) ** 2
    divisor = np.where(constant, 1, variance)
    skewness = np.where(constant, 0, (squared * deviation).mean(axis=0) / divisor**1.5)
    kurtosis = np.where(constant, 0, (squared * squared).mean(axis=0) / divisor**2 - 3)
    return np.stack([mean, np.sqrt(variance), skewness, kurtosis])
