"""Open audio: ranges of a recording, read in blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.integrity import Findings
from edgevoice.audio.samples import check_rate, check_samples, is_number
from edgevoice.errors import ArgumentError, AudioFormatError, SamplesError, StreamError

BLOCK = 1 << 16
"""Largest number of samples per channel that are read at a time."""
_KEPT = 1 << 22
"""How many of the last samples of all channels are kept where segments are read: 16 MiB."""
_LONGEST = 1e9
"""An upper limit for times, in seconds: longer than any recording, and small enough to be counted in samples."""


class Decoder(ABC):
    """One pass through the samples of a recording, from its beginning."""

    rate: int
    channels: int
    length: int | None
    """Samples per channel; None where they are not known before reading."""
    exact = True
    """Whether `length` is the number that reading gives: media files state it in other units."""

    @abstractmethod
    def read(self, count: int) -> NDArray[Any]:
        """About the next `count` samples, (samples, channels); none at the end."""

    def seek(self, at: int) -> bool:  # noqa: ARG002
        """Go on at a position; False where that would not give the same samples as reading up to it."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Close what the decoder opened."""


class ArrayDecoder(Decoder):
    """Samples in memory, (samples,) or (samples, channels)."""

    def __init__(self, samples: NDArray[np.float32], rate: int) -> None:
        self.rate, self.length, self._at = rate, len(samples), 0
        self.channels = 1 if samples.ndim == 1 else samples.shape[1]
        self._samples = samples.reshape(-1, self.channels)

    def read(self, count: int) -> NDArray[np.float32]:
        """The next samples."""
        self._at += count
        return self._samples[self._at - count : self._at]

    def seek(self, at: int) -> bool:
        """Go to any position."""
        self._at = at
        return True

    def close(self) -> None:
        """Do nothing."""


class Reader:
    """Reads ranges of a recording. A pass that ends is kept for the next range, which may begin in its last samples.

    Args:
        findings: takes what is wrong with the recording.
        decoder: begins a pass.
        files: what to close at the end; the reader's from here on.
    """

    def __init__(self, findings: Findings, decoder: Callable[[], Decoder], files: ExitStack) -> None:
        self._findings, self._decoder, self.name = findings, decoder, findings.name
        self.format = decoder()
        """What it is: its rate, channels and length."""
        try:
            check_rate(self.format.rate)
        except ArgumentError as error:
            self.format.close()
            raise AudioFormatError(f"{self.name}: {error}") from error
        self._idle: _Pass | None = _Pass(self.format)
        self._files, self._closed = files.pop_all(), False

    def read(self, first: int, last: int | None) -> Iterator[NDArray[np.float32]]:
        """The samples first..last; decoding goes on where the last reading ended, if that was not behind `first`."""
        if self._closed:
            raise StreamError(f"{self.name}: was closed")
        current, self._idle = self._idle, None  # taken, so that two readings at the same time do not share it
        keep = _KEPT // self.format.channels if first or last is not None else 0
        is_damaged = False
        try:
            if current is None or not current.reaches(first):
                if current is not None:
                    current.decoder.close()
                current = _Pass(self._decoder())
                current.reaches(first)
            for at, block in current.blocks(first, last, keep):
                begin, end = max(0, first - at), len(block) if last is None else min(len(block), last - at)
                if begin < end:
                    yield block[begin:end]
        except AudioFormatError as error:
            is_damaged = True
            self._findings.damage(str(error).removeprefix(f"{self.name}: "), error)
        finally:
            if current is not None and (is_damaged or self._closed or self._idle is not None):
                current.decoder.close()
            else:
                self._idle = current

    def close(self) -> None:
        """Close the decoder and the files that were opened for it. A second call does nothing."""
        self._closed = True
        if self._idle is not None:
            self._idle.decoder.close()
            self._idle = None
        self._files.close()


class _Pass:
    """A decoder, its position, and the last blocks that it gave."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self._at = decoder, 0
        self._recent: deque[tuple[int, NDArray[Any]]] = deque()

    def reaches(self, first: int) -> bool:
        """Whether the samples from `first` on can still be had, by seeking if that is exact."""
        if first != self._at and self.decoder.seek(first):
            self._at = first
            self._recent.clear()
        return first >= (self._recent[0][0] if self._recent else self._at)

    def blocks(self, first: int, last: int | None, keep: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Blocks with their positions; they begin at or before `first`, and end behind `last`."""
        for at, block in tuple(self._recent):
            if at + len(block) > first and (last is None or at < last):
                yield at, block
        while last is None or self._at < last:
            block = self.decoder.read(BLOCK if last is None else min(BLOCK, last - self._at))
            if not len(block):
                break
            at = self._at
            self._at += len(block)
            if keep:
                self._recent.append((at, block))
                while self._at - self._recent[0][0] > keep + len(block):
                    self._recent.popleft()
            yield at, block


class AudioSource:
    """A range of open audio, which can be read in blocks from its start, as often as needed, until it is closed."""

    name: str
    """The name in messages."""
    rate: int
    """Sampling rate in hertz."""
    channels: int
    first: int
    """Position of the first sample that is read, in samples at the rate of the source."""
    seconds: float | None
    """Length of what will be read, in seconds; None where it is not known before reading."""

    def __init__(self, reader: Reader, first: int = 0, last: int | None = None, *, owner: bool = True) -> None:
        self._reader, self._owner, self._closed = reader, owner, False
        form = reader.format
        self.name, self.rate, self.channels = reader.name, form.rate, form.channels
        end = last if form.length is None else min(form.length, form.length if last is None else last)
        self.first = min(first, end) if end is not None and form.exact else first
        self._last = end if form.exact else last
        self.seconds = None if end is None else max(0, end - self.first) / self.rate

    def segment(self, start: float | None = None, end: float | None = None) -> AudioSource:
        """The part of this source from `start` to `end`, in seconds of the recording.

        Segments can be read in any order; in the order of their starts a compressed file is decoded once for all of them.
        Closing a segment leaves the source open.

        Raises:
            ArgumentError: they are no times, or not in order.
        """
        check_times(start, end)
        first = self.first if start is None else max(self.first, round(start * self.rate))
        ends = [self._last, None if end is None else round(end * self.rate)]
        return AudioSource(self._reader, first, min((each for each in ends if each is not None), default=None), owner=False)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Samples in order, float32 (samples, channels), checked; every call begins at the start.

        Raises:
            AudioFormatError: the audio is damaged or cut short.
            SamplesError: it holds NaN or infinity.
            StreamError: the source was closed.
        """
        if self._closed:
            raise StreamError(f"{self.name}: was closed")
        for block in self._reader.read(self.first, self._last):
            try:
                yield check_samples(block)
            except SamplesError as error:
                raise SamplesError(f"{self.name}: {error}") from error

    def close(self) -> None:
        """Close the audio, unless another source is its owner. A second call does nothing."""
        self._closed = True
        if self._owner:
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_times(start: float | None, end: float | None) -> None:
    """Check the seconds at which reading begins and ends.

    Raises:
        ArgumentError: they are no times, or not in order.
    """
    for name, value in (("start", start), ("end", end)):
        if value is not None and not (is_number(value) and 0 <= value <= _LONGEST):
            raise ArgumentError(f"{name} {value!r}: expected seconds, from 0 to {_LONGEST:g}")
    if end is not None and end <= (start or 0):
        raise ArgumentError(f"end {end}: expected more than start ({start or 0})")
