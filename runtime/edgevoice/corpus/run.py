"""Computes the rows of an index: several at the same time, with the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from threading import Event, Lock
from typing import NamedTuple, TypeVar

from edgevoice.audio.files import open_source
from edgevoice.corpus.index import Row
from edgevoice.errors import AudioError, DeviceMemoryError, EdgeVoiceError
from edgevoice.extractor import Extractor
from edgevoice.features import Features
from edgevoice.wholenumbers import whole_number

EACH = "each"
"""The value of `channel` with which all channels are read, one after the other."""

_AHEAD = 4
"""Rows per job that may be computed ahead of the first one."""
_LONG = 60.0
"""Length in seconds from which the batches of one recording are computed in parallel too."""
_MOST = 1024

Tag = TypeVar("Tag")
Progress = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read: the arguments of `Extractor.extract`. A channel that a row names has precedence."""

    level: str | float | None = None
    hop: float | None = None
    channel: int | str | None = None
    """`each` reads all channels, one by one."""
    pad: bool = False
    incomplete: str = "error"


class Failure(NamedTuple):
    """A row that could not be computed."""

    row: Row
    error: EdgeVoiceError


class Result(NamedTuple):
    """The result of one row."""

    parts: list[tuple[Row, Features]]
    """The features and their row; one pair per channel where channels are read separately. For a failed row, the complete
    pairs.
    """
    failure: Failure | None

    @property
    def seconds(self) -> float:
        """The length of what was read."""
        start, end = (self.parts[0][1].extent if self.parts else None) or (0.0, 0.0)
        return end - start


def results(
    extractor: Extractor,
    rows: Iterable[tuple[Tag, Row]],
    reading: Reading,
    jobs: int,
    begin: Callable[[float | None], object] = lambda _: None,
    progress: Progress = lambda _: None,
) -> Generator[tuple[Tag, Row, Result], None, None]:
    """Compute rows in parallel, and give the results in order.

    Short recordings are computed several at a time; a long one, and the last ones, by several threads each. The bits are
    the same.

    Args:
        extractor: what computes.
        rows: each with a tag, which comes back with its result.
        reading: how they are read.
        jobs: how much is computed at the same time, over rows and within them.
        begin: called with the seconds of a recording when it is open; None where they are not known.
        progress: called with the seconds of audio read since its last call, by several threads.
    """
    jobs = whole_number("jobs", jobs, 1, _MOST)
    stopped, share = Event(), 0
    long: AbstractContextManager[object] = Lock()  # one long recording at a time

    def check(seconds: float) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt  # ends the file of this thread; the main thread is ending too
        progress(seconds)

    def workers(seconds: float | None) -> int:
        return share or (jobs if seconds is None or seconds > _LONG else 1)

    if jobs == 1:
        for tag, row in rows:
            yield tag, row, _result(extractor, row, reading, lambda _: 1, begin, progress, long)
        return
    waiting: deque[tuple[Tag, Row, Future[Result]]] = deque()
    rows = iter(rows)
    first = list(islice(rows, jobs))
    if len(first) < jobs:  # fewer than can be computed at the same time: the threads are divided between them
        share, long = -(-jobs // max(1, len(first))), nullcontext()
    with ThreadPoolExecutor(jobs, "edgevoice rows") as pool:
        try:
            for tag, row in chain(first, rows):
                waiting.append((tag, row, pool.submit(_result, extractor, row, reading, workers, begin, check, long)))
                if len(waiting) > _AHEAD * jobs:
                    yield _oldest(waiting)
            while waiting:
                yield _oldest(waiting)
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _oldest(waiting: deque[tuple[Tag, Row, Future[Result]]]) -> tuple[Tag, Row, Result]:
    tag, row, future = waiting.popleft()
    return tag, row, future.result()


def _result(
    extractor: Extractor,
    row: Row,
    reading: Reading,
    workers: Callable[[float | None], int],
    begin: Callable[[float | None], object],
    progress: Progress,
    long: AbstractContextManager[object],
) -> Result:
    channel = reading.channel if row.channel is None else row.channel
    asked = None if isinstance(channel, str) else channel
    parts: list[tuple[Row, Features]] = []
    try:
        with open_source(row.path, row.start, row.end, asked) as source:
            begin(source.seconds)
            count = workers(source.seconds)
            channels: Sequence[int | None] = range(source.channels) if channel == EACH else (asked,)
            with long if count > 1 else nullcontext():
                for number in channels:
                    features = extractor.extract(
                        source,
                        level=reading.level,
                        hop=reading.hop,
                        channel=number,
                        pad=reading.pad,
                        jobs=count,
                        progress=progress,
                    )
                    parts.append((row._replace(channel=number), features))
    except AudioError as error:
        return Result(parts, Failure(row, error))
    except DeviceMemoryError as error:
        return Result(parts, Failure(row, DeviceMemoryError(f"{row.path}: {error}")))
    return Result(parts, None)
