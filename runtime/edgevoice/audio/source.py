"""Open audio: ranges of a recording, read in blocks."""

from __future__ import annotations

import copy
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.samples import check_rate, check_samples, is_number
from edgevoice.errors import ArgumentError, AudioFormatError, SamplesError

BLOCK = 1 << 16
"""Largest number of samples per channel that are read at a time."""
_KEPT = 1 << 22  # how many of the last samples of all channels are kept where segments are read: 16 MiB
_END = sys.maxsize  # a position behind every recording
_LONGEST = 1e9  # an upper limit for times, in seconds: longer than any recording, and small enough to be counted in samples


class Decoder:
    """One pass through the samples of a recording: its position, and the last blocks that it gave."""

    rate = channels = 0
    length: int | None = None
    """Samples per channel; None where they are not known before reading. Media files state it in other units."""

    def __init__(self) -> None:
        self.at = 0
        """Samples per channel that were read."""
        self._recent: deque[tuple[int, NDArray[Any]]] = deque()

    def read(self, count: int) -> NDArray[Any]:
        """About the next `count` samples, (samples, channels); none at the end."""
        raise NotImplementedError

    def seek(self, at: int) -> bool:  # noqa: ARG002
        """Go on at a position; False where that would not give the same samples as reading up to it."""
        return False

    def close(self) -> None:
        """Close what the decoder opened."""

    def reaches(self, first: int) -> bool:
        """Whether the samples from `first` on can still be had, by seeking if that is exact."""
        if first != self.at and self.seek(first):
            self.at = first
            self._recent.clear()
        return first >= (self._recent[0][0] if self._recent else self.at)

    def blocks(self, first: int, last: int, keep: int) -> Iterator[NDArray[Any]]:
        """The samples first..last, of which at least the last `keep` can be had again."""
        recent = deque(self._recent)
        while recent or self.at < last:
            if recent:
                at, block = recent.popleft()
            else:
                at, block = self.at, self.read(min(BLOCK, last - self.at))
                if not len(block):
                    break
                self.at += len(block)
                self._recent.append((at, block))
                while self.at - self._recent[0][0] > keep + len(block):
                    self._recent.popleft()
            begin, end = max(0, first - at), min(len(block), last - at)
            if begin < end:
                yield block[begin:end]


class ArrayDecoder(Decoder):
    """Samples in memory, (samples,) or (samples, channels)."""

    def __init__(self, samples: NDArray[np.float32], rate: int) -> None:
        super().__init__()
        self.rate, self.length = rate, len(samples)
        self.channels = 1 if samples.ndim == 1 else samples.shape[1]
        self._samples = samples.reshape(-1, self.channels)

    def read(self, count: int) -> NDArray[np.float32]:
        """The next samples."""
        return self._samples[self.at : self.at + count]


class AudioSource:
    """A range of open audio, which can be read in blocks from its start, as often as needed, until it is closed.

    `decoder` begins a pass; one that ends is kept for the next range, which may begin in its last samples. `files` are the
    source's from here on.
    """

    def __init__(self, name: str, decoder: Callable[[], Decoder], files: ExitStack) -> None:
        self.name, self._decoder, self._owner = name, decoder, self
        first = decoder()
        try:
            self.rate, self.channels = check_rate(first.rate), first.channels
        except ArgumentError as error:
            raise AudioFormatError(f"{name}: {error}") from error
        self._idle, self._files = [first], files.pop_all()  # which segments share
        self._length, self._last = _END if first.length is None else first.length, _END
        self.first = 0
        """Position of the first sample that is read, in samples at the rate of the source."""
        self.seconds: float | None
        """Length of what will be read; None where it is not known before reading."""
        self.cut()

    def cut(self, start: float | None = None, end: float | None = None) -> Self:
        """Read from `start` to `end` only, in seconds of the recording. Raises as `check_times`."""
        check_times(start, end)
        self.first = max(self.first, round((start or 0) * self.rate))
        if end is not None:
            self._last = min(self._last, round(end * self.rate))
        last = min(self._last, self._length)
        self.seconds = None if last == _END else max(0, last - self.first) / self.rate
        return self

    def segment(self, start: float | None = None, end: float | None = None) -> AudioSource:
        """The part of this source from `start` to `end`, in seconds of the recording; closing it leaves the source open.

        Segments can be read in any order; in the order of their starts a compressed file is decoded once for all of them.
        """
        return copy.copy(self).cut(start, end)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Samples in order, float32 (samples, channels), checked; every call begins at the start.

        Raises:
            AudioFormatError: the audio is damaged or cut short, or its file was closed.
            SamplesError: it holds NaN or infinity.
        """
        current = self._idle.pop() if self._idle else self._decoder()  # taken, so that two readings do not share it
        keep = _KEPT // self.channels if self.first or self._last < _END else 0
        is_damaged = False
        try:
            if not current.reaches(self.first):
                current.close()
                current = self._decoder()
                current.reaches(self.first)
            for block in current.blocks(self.first, self._last, keep):
                yield check_samples(block)
        except SamplesError as error:
            raise SamplesError(f"{self.name}: {error}") from error
        except AudioFormatError:
            is_damaged = True
            raise
        finally:
            if is_damaged or self._idle:
                current.close()
            else:
                self._idle.append(current)

    def close(self) -> None:
        """Close the audio, unless this is a segment of it. A second call does nothing."""
        if self._owner is self:
            while self._idle:
                self._idle.pop().close()
            self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_times(start: float | None, end: float | None) -> None:
    """Raise ArgumentError unless these are times in seconds, in order."""
    for name, value in (("start", start), ("end", end)):
        if value is not None and not (is_number(value) and 0 <= value <= _LONGEST):
            raise ArgumentError(f"{name} {value!r}: expected seconds, from 0 to {_LONGEST:g}")
    if end is not None and end <= (start or 0):
        raise ArgumentError(f"end {end}: expected more than start ({start or 0})")
