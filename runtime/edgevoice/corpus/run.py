"""Computes the rows of an index: files are read once, their windows are computed together, the results are in order."""

from __future__ import annotations

import math
import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

from edgevoice.audio.files import AudioSource, Incomplete, open_source
from edgevoice.batcher import Batcher
from edgevoice.corpus.index import Row
from edgevoice.corpus.rows import EACH
from edgevoice.errors import AudioError, AudioFormatError, DeviceMemoryError, EdgeVoiceError
from edgevoice.extraction import Extraction
from edgevoice.extractor import Extractor
from edgevoice.features import Features
from edgevoice.recipe import Reading
from edgevoice.stream import Stream
from edgevoice.wholenumbers import whole_number

_MOST = 1024
"""Largest number of rows that are looked through for those of one file, and of jobs."""


class Result(NamedTuple):
    """The result of one row."""

    row: Row
    parts: Sequence[tuple[Row, Features]] = ()
    """The features and their row; one pair per channel where channels are read separately; none for a failed row."""
    error: EdgeVoiceError | None = None

    @property
    def frames(self) -> int:
        """The number of frames of all channels."""
        return sum(len(features) for _, features in self.parts)

    @property
    def seconds(self) -> float:
        """The length of what was read."""
        start, end = (self.parts[0][1].extent if self.parts else None) or (0.0, 0.0)
        return end - start


def failure_row(row: Row, error: EdgeVoiceError, names: Iterable[str] = ()) -> dict[str, Any]:
    """A failed row and its reason, with the user's columns of these names, for JSON and CSV."""
    # An absolute path of this machine is of no use on another one.
    reason = str(error).removeprefix(f"{row.path}: ").replace(row.path, row.file)
    place = {"file": row.file, "start": row.start, "end": row.end, "channel": row.channel, "reason": reason}
    return {**dict(zip(names, row.others, strict=False)), **place}


def results(
    extractor: Extractor,
    groups: Iterable[Sequence[Row]],
    reading: Reading,
    jobs: int,
    begin: Callable[[float | None], object] = lambda _: None,
    progress: Callable[[float], object] = lambda _: None,
) -> Generator[Result, None, None]:
    """Compute rows, and give the results in order.

    Rows of one file are read together, in one pass. Windows of all rows are computed in common batches, `jobs` of them at
    the same time, with the bits that each row has by itself. Whatever goes wrong with a row is that row's failure.

    Args:
        extractor: what computes.
        groups: the rows; those of a group are looked through for those of one file.
        reading: how they are read. A channel that a row names has precedence.
        jobs: how many batches are computed at the same time.
        begin: called with the seconds of a row when it is open; None where they are not known.
        progress: called with the seconds of audio read since its last call.
    """
    jobs = whole_number("jobs", jobs, 1, _MOST)
    extractor.recipe(reading)  # the arguments that are those of all rows are no failure of each
    with closing(extractor.batcher(jobs if jobs > 1 else 0)) as batcher:
        run = _Run(extractor, reading, batcher, begin, progress)
        for chunk in _chunks(groups):
            yield from run.read(chunk)
        yield from run.finish()


def _chunks(groups: Iterable[Sequence[Row]]) -> Iterator[list[Row]]:
    """Rows that are read together: those of a group, and of the next where that begins in one of their files."""
    chunk: list[Row] = []
    for group in groups:
        if chunk and group and all(row.path != group[0].path for row in chunk):
            yield chunk
            chunk = []
        for row in group:
            if len(chunk) == _MOST:
                yield chunk
                chunk = []
            chunk.append(row)
    yield chunk


@dataclass(slots=True, eq=False)
class _Work:
    """A row on its way."""

    row: Row
    channel: int | str | None
    extractions: list[tuple[Row, Extraction]] = field(default_factory=list)
    """One, or one for each channel."""
    read: bool = False
    result: Result | None = None


@dataclass(slots=True)
class _Run:
    extractor: Extractor
    reading: Reading
    batcher: Batcher
    begin: Callable[[float | None], object]
    progress: Callable[[float], object]
    order: deque[_Work] = field(default_factory=deque)
    owners: dict[Stream, tuple[_Work, Extraction]] = field(default_factory=dict)

    def read(self, chunk: Sequence[Row]) -> Iterator[Result]:
        """Read rows, file by file; give the results that are ready, in order."""
        own = self.reading.channel
        works = [_Work(row, own if row.channel is None else row.channel) for row in chunk]
        self.order += works
        files: dict[str, list[_Work]] = {}
        for work in works:
            files.setdefault(work.row.path, []).append(work)
        for group in files.values():
            shared = self._open_once(group)
            try:
                for work in group:
                    with closing(self._read(work, shared)) as read:
                        for seconds in read:
                            self._take(wait=False)
                            self.progress(seconds)
                            if work.result:  # its batch could not be computed
                                break
                    self._settle(work)
                    yield from self._ready()
            finally:
                if isinstance(shared, AudioSource):
                    shared.close()

    def finish(self) -> Iterator[Result]:
        """Compute what waits, and give the remaining results."""
        self.batcher.flush()
        self._take(wait=True)
        return self._ready()

    def _open_once(self, group: list[_Work]) -> AudioSource | Exception | None:
        """Open a file for several rows, which are sorted; the error where that fails, and None for one row."""
        if len(group) == 1:
            return None
        group.sort(key=lambda work: (work.row.start or 0.0, work.row.end or math.inf))
        try:
            return self._opened(group[0].row._replace(start=None, end=None))
        except Exception as error:  # noqa: BLE001 - it is the failure of each row
            return error

    def _opened(self, row: Row, shared: AudioSource | None = None, channel: int | None = None) -> AudioSource:
        mode = stat.S_IFREG
        with suppress(OSError, ValueError):  # opening it says what is wrong
            mode = os.stat(row.path).st_mode  # noqa: PTH116
        # Opening a pipe would wait for a writer, and a device may do anything.
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or (row.pipe and stat.S_ISFIFO(mode))):
            raise AudioFormatError(f"{row.path}: is a pipe, a device or a socket, expected an audio file")
        keep = cast("Incomplete", self.reading.incomplete)
        return open_source(shared or row.path, row.start, row.end, channel, incomplete=keep)

    def _read(self, work: _Work, shared: AudioSource | Exception | None) -> Generator[float, None, None]:
        """Read a row to its end; give the seconds of each block. What its audio causes is its failure."""
        try:
            if isinstance(shared, Exception):
                raise shared
            with self._opened(work.row, shared, None if isinstance(work.channel, str) else work.channel) as source:
                self.begin(source.seconds)
                channels = range(source.channels) if work.channel == EACH else [cast("int | None", work.channel)]
                for number in channels:
                    extraction = Extraction(self.extractor, source, replace(self.reading, channel=number), self.batcher)
                    self.owners[extraction.stream] = work, extraction
                    work.extractions.append((work.row._replace(channel=number), extraction))
                    for seconds in extraction.read():
                        yield seconds / len(channels)
            work.read = True
        except Exception as error:  # noqa: BLE001 - decoders raise all kinds
            self._fail(work, error)

    def _take(self, wait: bool) -> None:
        """Give computed features to their rows."""
        while True:
            try:
                for stream, features in self.batcher.take(wait):
                    if stream in self.owners:
                        work, extraction = self.owners[stream]
                        extraction.add(features)
                        self._settle(work)
                return
            except MemoryError as error:
                lost = [work for stream, (work, _) in self.owners.items() if stream.failure]
                for work in dict.fromkeys(lost):
                    self._fail(work, DeviceMemoryError(str(error)))
                    if len(lost) > 1:  # perhaps only one of them was too much
                        with closing(results(self.extractor, [[work.row]], self.reading, 1)) as single:
                            work.result = next(single)

    def _settle(self, work: _Work) -> None:
        """Make the result of a row that is complete."""
        if work.result is None and work.read and all(extraction.complete for _, extraction in work.extractions):
            try:
                parts = [(row, extraction.features()) for row, extraction in work.extractions]
            except AudioError as error:
                self._fail(work, error)
            else:
                self._end(work, Result(work.row, parts))

    def _fail(self, work: _Work, error: Exception) -> None:
        path = work.row.path
        if not isinstance(error, EdgeVoiceError):
            error = AudioFormatError(f"{path}: cannot be read ({type(error).__name__}: {error})")
        elif not str(error).startswith(path):
            error = type(error)(f"{path}: {error}")
        self._end(work, Result(work.row, error=error))

    def _end(self, work: _Work, result: Result) -> None:
        work.result = result
        for _, extraction in work.extractions:
            self.owners.pop(extraction.stream, None)
        work.extractions.clear()

    def _ready(self) -> Iterator[Result]:
        while self.order and self.order[0].result:
            yield cast("Result", self.order.popleft().result)
