"""Percentiles of durations, over hours, in constant memory."""

from __future__ import annotations

import math

import numpy as np

_SMALLEST, _LARGEST, _STEP = 1e-6, 1e4, 0.01


class Histogram:
    """Durations in bins that are 1 % wide, from 1 us to 10 000 s; the largest is exact."""

    def __init__(self) -> None:
        self._counts = np.zeros(self._bin(_LARGEST) + 1, np.int64)
        self.largest = 0.0
        """The largest duration, in seconds."""
        self.count = 0

    @staticmethod
    def _bin(seconds: float) -> int:
        return round(math.log(min(max(seconds, _SMALLEST), _LARGEST) / _SMALLEST) / _STEP)

    def add(self, seconds: float) -> None:
        """Count one duration, in seconds."""
        self._counts[self._bin(seconds)] += 1
        self.count += 1
        self.largest = max(self.largest, seconds)

    def percentile(self, percent: float) -> float:
        """Duration, in seconds, that so many percent do not exceed, to 1 %. There must be one."""
        rank = math.ceil(self.count * percent / 100)
        bin_ = int(np.searchsorted(np.cumsum(self._counts), max(rank, 1)))
        return min(_SMALLEST * math.exp(bin_ * _STEP), self.largest)
