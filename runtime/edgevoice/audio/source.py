"""The interface that all sources of audio share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16
"""Largest number of samples per channel that are read at a time."""


class AudioSource(ABC):
    """Open audio, which can be read in blocks from its start, as often as needed, until it is closed."""

    name: str
    """The name in messages."""
    rate: int
    """Sampling rate in hertz."""
    channels: int
    first: int
    """Position of the first sample that is read, in samples at the rate of the source."""
    seconds: float | None
    """The number of samples that will be read; None where it is not known before reading."""

    @abstractmethod
    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Samples in order, float32 (samples, channels), checked; every call begins at the start.

        Raises:
            AudioFormatError: the audio is damaged or cut short.
            SamplesError: it holds NaN or infinity.
            StreamError: the source was closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Close what is open. A second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def cut(rate: int, start: float | None, end: float | None, length: int | None) -> tuple[int, int | None]:
    """Convert seconds to positions: the first sample to read, and the end (None: that of the recording)."""
    first = 0 if start is None else round(start * rate)
    last = None if end is None else round(end * rate)
    if length is not None:
        last = length if last is None else min(length, last)
    return first if last is None else min(first, last), last
