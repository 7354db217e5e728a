"""Computes windows of any number of owners in batches, and gives each owner its features, in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import StreamError
from edgevoice.features import Features
from edgevoice.pipeline import Pipeline
from edgevoice.threads import ThreadPool
from edgevoice.windows import Windows

if TYPE_CHECKING:
    from edgevoice.stream import Stream

_NOTHING = np.empty((0, 0), np.float32)


class Batcher:
    """Computes what `put` gave it: a batch when it is full, the rest at `flush`. Made by `Extractor.batcher`.

        batcher = extractor.batcher()
        streams = [extractor.stream(rate=8000, batcher=batcher) for _ in calls]
        ...
        for stream, chunk in arrived:
            stream.push(chunk)
        batcher.flush()
        for stream, features in batcher.take():
            ...

    Networks that run on several windows at once read their weights once for all of them: the more falls due between two
    flushes, the less a window costs. Features have the bits that each owner would get by itself. Windows belong to their
    owner from the moment they are put: an exception anywhere, an interrupt too, loses some of them or none, and never gives
    an owner those of another. A batcher and its streams belong to one thread at a time, which a StreamError says where two
    use it at once; any number of batchers may share an extractor.

    Args:
        pipeline: front end and networks.
        threads: how many compute; 0 computes in the calling thread.
    """

    def __init__(self, pipeline: Pipeline, threads: int = 0) -> None:
        self.pipeline = pipeline
        self._pool = ThreadPool(threads, "edgevoice.Batcher") if threads else None
        self._limit = 2 * threads  # batches that may wait, so that no thread waits for audio, and memory stays flat
        self._batches: deque[_Batch] = deque()  # in order; all are closed but the last one, which may be open
        self._spare: list[NDArray[np.float32]] = []  # samples of batches that are computed, to be used again
        self._only_user = _OnlyUser()

    def put(self, owner: Stream, windows: Windows) -> None:
        """Take windows of an owner; their samples are copied."""
        with self._only_user:
            first, count = 0, len(windows.facts)
            while first < count:
                batch = self._open()
                part = slice(first, first + self.pipeline.size - batch.filled)
                facts = windows.facts[part]
                end = batch.filled + len(facts)
                batch.samples[batch.filled : end] = windows.samples[part]
                # The last step, and a single one: what an exception before it leaves behind is written over.
                batch.entries.append(_Entry(owner, facts, end))
                first += len(facts)
                if end == self.pipeline.size:
                    self._close(batch)

    def flush(self) -> None:
        """Compute the windows that wait, however few."""
        with self._only_user:
            if self._batches and not self._batches[-1].closed and self._batches[-1].filled:
                self._close(self._batches[-1])

    def take(self, wait: bool = True) -> Iterator[tuple[Stream, Features]]:
        """The features of full and of flushed batches, as (owner, features), in the order in which windows were put.

        Args:
            wait: whether to wait for batches that other threads still compute.

        Raises:
            DeviceError, ModelUseError, MemoryError: a batch could not be computed. Its owners have lost windows, and know
                it: their streams take nothing more until `reset`. The next call goes on with the next batch.
        """
        while True:
            with self._only_user:
                pair = self._next(wait)
            if pair is None:
                return
            yield pair

    def drop(self, owner: Stream) -> None:
        """Forget the windows of an owner that wait."""
        with self._only_user:
            for batch in self._batches:
                batch.entries[:] = [entry._replace(owner=None) if entry.owner is owner else entry for entry in batch.entries]

    def close(self) -> None:
        """End the threads after what they compute at this moment. What waits is computed by whoever takes it."""
        if self._pool is not None:
            self._pool.close()

    def _next(self, wait: bool) -> tuple[Stream, Features] | None:
        """The next owner and its features; None where no batch is ready."""
        while self._batches and self._batches[0].closed and (wait or self._batches[0].done):
            batch = self._batches[0]
            if not batch.done:
                self._compute(batch)
            if batch.failure:
                owners = [entry.owner for entry in batch.entries if entry.owner is not None]
                for failed in owners:
                    failed.fail(batch.failure)
                self._batches.popleft()
                if owners:
                    raise batch.failure
                continue
            while batch.given < len(batch.entries):
                owner, facts, end = batch.entries[batch.given]
                values = batch.values[end - len(facts) : end]
                batch.given += 1
                if owner is not None:
                    return owner, Features(values, facts, self.pipeline.layout)
            self._batches.popleft()
        return None

    def _open(self) -> _Batch:
        """The batch that is not full yet."""
        if self._batches and self._batches[-1].filled == self.pipeline.size:
            self._close(self._batches[-1])  # again, where an exception came before it
        if not self._batches or self._batches[-1].closed:
            shape = (self.pipeline.size, self.pipeline.networks.window)
            samples = self._spare.pop() if self._spare else np.empty(shape, np.float32)
            self._batches.append(_Batch(samples))
        return self._batches[-1]

    def _close(self, batch: _Batch) -> None:
        """Compute a batch, or let a thread do it; wait where too many wait already."""
        batch.closed = True
        if not self._pool:
            self._compute(batch)
            return
        self._pool.submit(partial(self._compute, batch, wait=False))
        waiting = [earlier for earlier in self._batches if not earlier.done]
        if len(waiting) > self._limit:
            self._compute(waiting[0])

    def _compute(self, batch: _Batch, wait: bool = True) -> None:
        """Compute a batch, unless it is done; where another thread does it, wait or return."""
        if not batch.lock.acquire(blocking=wait):
            return
        try:
            if batch.done:
                return
            try:
                blocks = [entry.facts for entry in batch.entries]
                facts = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
                batch.values = self.pipeline.describe(batch.samples[: len(facts)], facts["offset"], facts["gain"])
            except Exception as error:  # noqa: BLE001 - `take` raises it
                batch.failure = error
            batch.done = True
            self._spare.append(batch.samples)
            batch.samples = _NOTHING
        finally:
            batch.lock.release()


class _OnlyUser:
    """Raises an error where two threads use a batcher at the same time, because frames would be mixed up."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # an interrupt may leave it taken: then its thread can go on

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise StreamError("a batcher and its streams belong to one thread at a time, and two use this one at once")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _Entry(NamedTuple):
    """Windows of one owner in a batch."""

    owner: Stream | None
    """None where they are not wanted any more."""
    facts: NDArray[Any]
    end: int
    """The number of windows in the batch up to and including these."""


@dataclass(slots=True, eq=False)
class _Batch:
    """Windows that are computed together."""

    samples: NDArray[np.float32]
    """(size, window), until they are computed."""
    entries: list[_Entry] = field(default_factory=list)
    closed: bool = False
    """Whether nothing more is added to it."""
    lock: Any = field(default_factory=threading.RLock)
    """Held by the thread that computes it."""
    done: bool = False
    values: NDArray[np.float32] = field(default_factory=lambda: _NOTHING)
    failure: Exception | None = None
    given: int = 0
    """How many of the entries were taken."""

    @property
    def filled(self) -> int:
        """The number of windows in it."""
        return self.entries[-1].end if self.entries else 0
