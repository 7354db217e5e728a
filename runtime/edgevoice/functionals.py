"""Functionals: what remains of features when time is taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError

FUNCTIONALS = ("mean", "std", "skewness", "kurtosis")

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
    values = values.astype(np.float64)
    mean = values.mean(axis=0)
    deviation = values - mean
    squared = deviation * deviation
    variance = squared.mean(axis=0)
    constant = variance <= (_DEGENERATE * mean) ** 2
    divisor = np.where(constant, 1, variance)
    skewness = np.where(constant, 0, (squared * deviation).mean(axis=0) / divisor**1.5)
    kurtosis = np.where(constant, 0, (squared * squared).mean(axis=0) / divisor**2 - 3)
    return np.concatenate([mean, np.sqrt(variance), skewness, kurtosis]).astype(np.float32)
