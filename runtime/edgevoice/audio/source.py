"""What every source of audio has, whatever it is read from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16
"""Samples of each channel read at a time, at most."""


class AudioSource(ABC):
    """Audio that is open: it is read in blocks, from its start, as often as needed, until it is closed."""

    name: str
    """What it is called in messages."""
    rate: int
    """In hertz."""
    channels: int
    first: int
    """Position of the first sample that is read, at the source's rate."""
    seconds: float | None
    """How much will be read; None where the length is not known before it has been read."""

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
        """Let go of what is open; closing twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def cut(rate: int, start: float | None, end: float | None, length: int | None) -> tuple[int, int | None]:
    """Positions of the first sample that is read, and of the first that is not; None where all are to the end."""
    first = 0 if start is None else round(start * rate)
    last = None if end is None else round(end * rate)
    if length is not None:
        last = length if last is None else min(length, last)
    return first if last is None else min(first, last), last
