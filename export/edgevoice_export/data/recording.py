"""The samples of one recording, as float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SCALE = 32768.0
"""int16 / 2^15 is the sample."""


class Recording:
    """float32 samples that are made from int16 ones where they are read: those of a corpus stay in its memory map.

    It has what `edgevoice.levels.Level.track` takes of an array: length, slices, mean, lowest and highest sample.
    """

    def __init__(self, samples: NDArray[np.int16], shortest: int = 0) -> None:
        """A recording with fewer samples than `shortest` is padded with zeros."""
        self._samples = samples
        self._length = max(shortest, len(samples))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> Floats:
        start, end, _ = part.indices(self._length)
        samples = np.asarray(self._samples[start:end], np.float32) / np.float32(SCALE)
        return np.pad(samples, (0, max(0, end - start - len(samples))))

    def mean(self, dtype: Any = None) -> Any:
        """The mean of all samples."""
        return self[:].mean(dtype=dtype)

    def min(self) -> float:
        """The lowest sample."""
        return float(self[:].min())

    def max(self) -> float:
        """The highest sample."""
        return float(self[:].max())
