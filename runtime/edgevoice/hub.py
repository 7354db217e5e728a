"""Many live sources in an asyncio program, their windows computed together by a few threads."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import math
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.rawpcm import PcmBytes
from edgevoice.audio.samples import check_layout, check_samples, is_number
from edgevoice.batcher import Batcher
from edgevoice.errors import ArgumentError, AudioFormatError, StreamError
from edgevoice.extractor import Extractor, check_extractor
from edgevoice.features import Frame
from edgevoice.stream import LONGEST, Stream
from edgevoice.threads import ThreadPool
from edgevoice.wholenumbers import whole_number
from edgevoice.windows import find_hop

_SOURCES = 4  # most in a round: with more, frames come later, and hardly any time is saved
_GATHER = 0.008  # seconds that a round waits for others, so that windows that are due close together share a batch
_SHARE = 1.0  # seconds of a source that a round takes, so that no source waits for another's hour
_STEP = 0.01  # seconds that lost samples count at least, so that very many of them do not hold up the others
_RECENT = 0.01  # share of the newest round in the mean time of a window

_Step = NDArray[Any] | int | None


class Hub:
    """Many live sources, for servers.

        async with edgevoice.Hub(extractor) as hub:
            source = hub.source(rate=16000)
            source.push(chunk)
            ...
            async for frame in source:
                ...

    A few threads take what the sources have pushed, about a second of each at a time, and each computes the windows that
    fall due together: a frame has the bits that a stream would give it. The hub and its sources are used from the thread of
    the event loop only.

    Args:
        extractor: a loaded model, which other hubs and streams may use too.
        threads: how many compute; `extractor.jobs` if None.
        backlog: how many seconds of a source may wait, as audio that is not computed or as frames that were not read. A
            push that exceeds it raises a `StreamError`, and none of its samples are used.

    Raises:
        ArgumentError: the backlog is not above 0, or the threads are not from 1 to 1024.
    """

    def __init__(self, extractor: Extractor, *, threads: int | None = None, backlog: float = 30.0) -> None:
        check_extractor(extractor)
        if not is_number(backlog) or not 0 < backlog < math.inf:
            raise ArgumentError(f"backlog {backlog!r}: expected seconds, above 0")
        self._extractor, self._backlog = extractor, float(backlog)
        self._threads = extractor.jobs if threads is None else whole_number("threads", threads, 1, 1024)
        self._pool: ThreadPool | None = None
        self._ended = False
        self._sources: weakref.WeakSet[Source] = weakref.WeakSet()  # a source that nobody holds any more is gone
        self._waiting: deque[Source] = deque()
        self.window_time = 0.0
        """Seconds that a thread takes for a window now, a moving mean over some rounds; 0 before the first window."""

    async def __aenter__(self) -> Self:
        """Start the threads.

        Raises:
            StreamError: the hub was entered before, or no thread can be started.
        """
        if self._pool is not None:
            raise StreamError("a hub can be entered only once: make a new one")
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPool(self._threads, "edgevoice.Hub")
        if not self._pool:
            raise StreamError("a hub needs a thread, and the system has none left")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the threads. Audio that was pushed and not computed is dropped; unfinished sources raise a StreamError."""
        self._ended = True
        if self._pool is not None:
            await asyncio.to_thread(self._pool.close)
        for source in list(self._sources):
            source.end(StreamError("the hub has ended"))

    def source(
        self,
        rate: int | None = None,
        channels: int = 1,
        *,
        dtype: str = "int16",
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | None = None,
    ) -> Source:
        """Add a source.

        Args:
            rate: sampling rate of what will be pushed, in hertz; the model's if None.
            channels: how many each chunk has.
            dtype: what bytes that are pushed hold: `int16`, `int32`, `uint8`, `float32` or `float64`, little-endian, the
                channels interleaved. Arrays have their own.
            level: as `Extractor.stream`.
            hop: as `Extractor.stream`.
            channel: as `Extractor.stream`.

        Raises:
            StreamError: the hub has not been entered, or has ended.
            ModelUseError, ArgumentError: as `Extractor.stream`.
        """
        if self._pool is None or self._ended:
            state = "has ended" if self._ended else "has not begun"
            raise StreamError(f"the hub {state}: use its sources within `async with`")
        batcher = self._extractor.batcher()  # until its first round: each has its own
        stream = self._extractor.stream(rate, channels, level=level, hop=hop, channel=channel, batcher=batcher)
        seconds = find_hop(hop, self._extractor.config) / self._extractor.config.audio.rate
        source = Source(self, stream, PcmBytes(channels, dtype), channels, seconds, self._backlog)
        self._sources.add(source)
        return source

    def compute(self, source: Source) -> None:
        """Let a thread compute what a source has taken. The source calls this, and not again before it has the result."""
        self._waiting.append(source)
        if self._pool is not None:
            self._pool.submit(self._round)

    def _round(self) -> None:
        """Compute the sources that have waited longest; a thread runs this once for each that waits."""
        if not self._waiting:  # an earlier round took it
            return
        if len(self._waiting) < _SOURCES:
            time.sleep(_GATHER)
        sources: list[Source] = []
        with contextlib.suppress(IndexError):  # another thread took the last one
            while len(sources) < _SOURCES:
                sources.append(self._waiting.popleft())
        begun, took = time.perf_counter(), 0.0
        frames: dict[Stream, list[Frame]] = {source.stream: [] for source in sources}
        errors: dict[Stream, Exception] = {}
        try:
            batcher = self._extractor.batcher()
            for source in sources:
                try:
                    source.advance(batcher)
                except Exception as error:  # noqa: BLE001 - it is raised at the source
                    errors[source.stream] = error
            batcher.flush()
            for stream, features in batcher.take():
                frames[stream].extend(features)
            took = (time.perf_counter() - begun) / max(1, sum(map(len, frames.values())))
        except Exception as error:  # noqa: BLE001 - the frames of all sources that were computed together are gone
            errors = dict.fromkeys(frames, error) | errors

        def deliver() -> None:
            if any(frames.values()) and took:
                usual = self.window_time or took
                self.window_time = usual + _RECENT * (min(took, 4 * usual) - usual)  # one that was held up counts little
            for source in sources:
                source.deliver(frames[source.stream], errors.get(source.stream))

        with contextlib.suppress(RuntimeError):  # the event loop is closed, and nobody waits for the result
            self._loop.call_soon_threadsafe(deliver)


class Source(AsyncIterator[Frame]):
    """One live source of a hub. Made by `Hub.source`.

    Audio goes in by `push` and `skip`, frames come out by `async for`, the last one after `finish`. `async with source:`
    closes it at the end, even if a client vanishes. An error of a source is raised by the next call on that source.
    """

    def __init__(self, hub: Hub, stream: Stream, pcm: PcmBytes, channels: int, hop: float, backlog: float) -> None:
        self.stream = stream
        """The stream of the source, which belongs to a thread of the hub."""
        self.rate = stream.rate
        """Sampling rate of the source, in hertz."""
        self._hub, self._pcm = hub, pcm
        self._channels, self._hop, self._backlog = channels, hop, backlog
        self._frames: deque[Frame] = deque()
        self._changed = asyncio.Event()
        # Samples (samples, channels), numbers of lost samples, and None for the end: those that wait, those in a round.
        self._steps: deque[_Step] = deque()
        self._taken: list[_Step] = []
        self._position = 0  # of the source after all steps, lost samples included
        self._waiting = 0  # samples in the steps
        self._due = stream.due  # the position that completes the next window
        self._finishing = False
        self._over: Exception | None = None
        self.ended = False
        """Whether the source has finished, failed or been closed."""

    @property
    def behind(self) -> float:
        """The length of the audio that waits, in seconds: not computed yet, or in frames that were not read."""
        late = self._waiting if self._taken or self._position >= self._due else 0
        return late / self.rate + len(self._frames) * self._hop

    @property
    def wanted(self) -> int:
        """How many samples the next window needs at least: smaller pushes cost less if they are put together to as many."""
        return max(0, self._due - self._position)

    def push(self, samples: NDArray[Any] | bytes | bytearray | memoryview) -> None:
        """Take the next samples, and return at once.

        Args:
            samples: an array as `Stream.push` takes it, or bytes, which may end within a sample.

        Raises:
            SamplesError: as `Stream.push`; nothing of it is taken, and the source goes on.
            StreamError: more than the hub's backlog would wait; nothing of it is taken, and the source goes on. Or after
                `finish`, or when the source or its hub has ended.
            AudioFormatError: the bytes begin like a file with a header; the source has ended.
        """
        self._check_open("push")
        own = isinstance(samples, bytes | bytearray | memoryview)  # else a caller may use its buffer again at once
        pcm = copy.copy(self._pcm)
        if isinstance(samples, bytes | bytearray | memoryview):
            content = bytes(samples)
            self._check_room((len(self._pcm.rest) + len(content)) // self._pcm.size)
            try:
                samples = pcm.push(content)
            except AudioFormatError as error:
                self.end(error)
                raise
        # Whole numbers are converted by the threads.
        checked = check_layout(samples, self._channels)
        if checked.dtype.kind == "f":
            checked = check_samples(checked, self._channels)
        self._check_room(len(checked))
        self._pcm = pcm
        if len(checked):
            self._waiting += len(checked)
            self._add((checked if own else checked.copy()).reshape(len(checked), self._channels), len(checked))

    def skip(self, count: int) -> None:
        """Report that `count` samples of the source were lost, as `Stream.skip` does, and return at once.

        Raises:
            ArgumentError: a negative count, or one beyond any recording.
            StreamError: after `finish`, or when the source or its hub has ended.
        """
        self._check_open("skip")
        count = whole_number("skip", count, 0, LONGEST - self._position, "samples")
        self._add(count, count)

    def finish(self) -> None:
        """Declare that no more audio comes: `async for` ends after the last frame.

        Raises:
            AudioFormatError: the bytes that were pushed ended within a sample; the source has ended.
            StreamError: as `skip`.
        """
        self._check_open("finish")
        self._finishing = True
        try:
            if self._pcm.rest:
                self._pcm.finish()
        except AudioFormatError as error:
            self.end(error)
            raise
        self._add(None)

    def close(self) -> None:
        """Drop everything that waits: nothing more is computed, and `async for` ends. A second call does nothing."""
        self._frames.clear()
        self.end(None)

    async def drain(self) -> None:
        """Wait until less than half of the backlog is used, for sources that can wait, such as files.

        Frames count until they are read, so another task must read them.

        Raises:
            Exception: what the source failed of.
        """
        while not self.ended and self.behind > self._backlog / 2:
            self._changed.clear()
            await self._changed.wait()
        if self._over:
            raise self._over

    async def __anext__(self) -> Frame:
        """The next frame.

        Raises:
            Exception: what the source failed of, once the frames before that were read.
            StopAsyncIteration: the source finished, or was closed.
        """
        while not self._frames:
            if self.ended:
                raise self._over or StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        frame = self._frames.popleft()
        self._changed.set()  # `drain` may be waiting for it
        return frame

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def end(self, error: Exception | None) -> None:
        """Accept nothing more, and raise the error at the next call. The hub calls this."""
        if not self.ended:
            self.ended, self._over = True, error
            self._steps.clear()
            self._taken = []
            self._changed.set()

    def advance(self, batcher: Batcher) -> None:
        """Pass what was taken to a batcher. A thread of the hub calls this."""
        self.stream.batcher = batcher
        for dtype, steps in itertools.groupby(self._taken, lambda step: getattr(step, "dtype", None)):
            if dtype is not None:
                self.stream.push(np.concatenate(list(steps)))  # a few large pushes cost less than many small ones
            else:
                for count in steps:
                    _ = self.stream.finish() if count is None else self.stream.skip(int(count))

    def deliver(self, frames: list[Frame], error: Exception | None) -> None:
        """Accept the result of a round, in the thread of the event loop. The hub calls this."""
        if self.ended:
            return
        self._waiting -= sum(len(step) for step in self._taken if isinstance(step, np.ndarray))
        self._taken, self._due = [], self.stream.due
        self._frames.extend(frames)
        self._changed.set()
        if error or (self._finishing and not self._steps):
            self.end(error)
        self._enter_round()

    def _add(self, step: _Step, count: int = 0) -> None:
        self._steps.append(step)
        self._position += count
        self._enter_round()

    def _enter_round(self) -> None:
        """Give about a second of what waits to a thread, if it completes a window, is much, or is the end."""
        room = round(_SHARE * self.rate)
        needed = self._finishing or self._position >= self._due or self._waiting >= room
        if not self._steps or self._taken or not needed:
            return
        while room > 0 and self._steps:
            step = self._steps.popleft()
            if isinstance(step, np.ndarray):
                if len(step) > room:
                    self._steps.appendleft(step[room:])
                    step = step[:room]
                room -= len(step)
            else:
                room -= math.ceil(_STEP * self.rate)
            self._taken.append(step)
        self._hub.compute(self)

    def _check_open(self, verb: str) -> None:
        if self._over:
            raise self._over
        if self.ended or self._finishing:
            raise StreamError(f"{verb} after {'finish' if self._finishing else 'close'}: the source has ended")

    def _check_room(self, count: int) -> None:
        behind = self.behind + count / self.rate
        if count and behind > self._backlog:
            raise StreamError(
                f"{behind:.1f} s of audio would wait at this source, more than the backlog of {self._backlog:g} s: "
                "read its frames, push less at a time (drain() waits), or report audio that is left out with skip()"
            )
