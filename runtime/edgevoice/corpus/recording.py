"""A recording that is read once, for all the segments of it that an index has."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.source import AudioSource, cut

Block = NDArray[np.float32]

_KEPT = 60.0
"""Seconds that are kept, so that segments may overlap, or be read twice."""


class SharedRecording:
    """An open recording from which segments are read in the order of their starts, without opening it again.

    A segment that begins before what is still kept opens it once more.

    Args:
        opened: opens the recording at a start, in seconds; None is its beginning.
    """

    def __init__(self, opened: Callable[[float | None], AudioSource]) -> None:
        self._open = opened
        self._source: AudioSource | None = None
        self._blocks: Iterator[Block] = iter(())
        self._kept: deque[tuple[int, Block]] = deque()  # positions and blocks, the newest last

    def segment(self, start: float | None, end: float | None) -> AudioSource:
        """A segment as a source; closing it leaves the recording open."""
        source = self._source or self._opened(start)
        return _Segment(self, source, start, end)

    def read(self, first: int, last: int | None, start: float | None) -> Iterator[Block]:
        """The samples from `first` up to `last`, block by block; None is the end."""
        if self._source is None or first < (self._kept[0][0] if self._kept else self._at):
            self._opened(start)
        at = first
        for position, kept in [*self._kept]:
            if position + len(kept) > at and (last is None or at < last):
                yield kept[at - position : None if last is None else last - position]
                at = position + len(kept)
        while last is None or at < last:
            try:
                block: Block | None = next(self._blocks, None)
            except BaseException:
                self.close()  # what comes after damage is read anew, or fails again
                raise
            if block is None:
                return
            position = self._at
            self._keep(block)
            if self._at > at:
                yield block[max(0, at - position) : None if last is None else last - position]
                at = self._at

    def close(self) -> None:
        """Close the recording."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def _opened(self, start: float | None) -> AudioSource:
        self.close()
        self._kept.clear()
        self._source = source = self._open(start)
        self._blocks, self._at, self._rate = source.blocks(), source.first, source.rate
        return source

    def _keep(self, block: Block) -> None:
        self._kept.append((self._at, block))
        self._at += len(block)
        while self._at - self._kept[0][0] - len(self._kept[0][1]) > _KEPT * self._rate:
            self._kept.popleft()


class _Segment(AudioSource):
    def __init__(self, recording: SharedRecording, source: AudioSource, start: float | None, end: float | None) -> None:
        self._recording, self._start = recording, start
        self.name, self.rate, self.channels = source.name, source.rate, source.channels
        length = None if source.seconds is None else source.first + round(source.seconds * self.rate)
        self.first, self._last = cut(self.rate, start, end, length)
        self.seconds = None if self._last is None else (self._last - self.first) / self.rate

    def blocks(self) -> Iterator[Block]:
        return self._recording.read(self.first, self._last, self._start)

    def close(self) -> None:
        return
