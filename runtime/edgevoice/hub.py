"""Many live sources in an asyncio program, their windows computed together by a few threads."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.rawpcm import PcmBytes
from edgevoice.audio.samples import check_samples, is_number
from edgevoice.batcher import Batcher
from edgevoice.errors import ArgumentError, AudioFormatError, StreamError
from edgevoice.extractor import Extractor, check_extractor
from edgevoice.features import Frame
from edgevoice.stream import LONGEST, Stream
from edgevoice.threads import ThreadPool
from edgevoice.wholenumbers import whole_number

_SOURCES = 4
"""Largest number of sources in a round. With more, frames come later, and hardly any time is saved."""
_GATHER = 0.008
"""How long a thread waits for that many sources, in seconds, so that windows that are due close together share a batch."""
_SHARE = 1.0
"""How much audio of a source a round takes, in seconds, so that no source waits for another's hour."""
_STEP = 0.01
"""What a step of a source counts at least, in seconds, so that steps of single samples do not hold up the others."""


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
        self.backlog = float(backlog)
        """The length of a source's audio that may wait, in seconds."""
        self._extractor = extractor
        self._threads = extractor.jobs if threads is None else whole_number("threads", threads, 1, 1024)
        self._rounds: _Rounds | None = None
        self._pool: ThreadPool | None = None
        self._sources: weakref.WeakSet[Source] = weakref.WeakSet()  # a source that nobody holds any more is gone
        self._ended = False

    async def __aenter__(self) -> Self:
        """Start the threads.

        Raises:
            StreamError: the hub was entered before, or no thread can be started.
        """
        if self._rounds:
            raise StreamError("a hub can be entered only once: make a new one")
        self._rounds = _Rounds(self._extractor, asyncio.get_running_loop())
        self._pool = ThreadPool(self._threads, "edgevoice.Hub", self._rounds.end)
        if not self._pool:
            raise StreamError("a hub needs a thread, and the system has none left")
        for _ in range(self._threads):
            self._pool.submit(self._rounds.work)
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
        if not self._rounds or self._ended:
            raise StreamError(
                f"the hub {'has ended' if self._ended else 'has not begun'}: use its sources within `async with`"
            )
        batcher = self._extractor.batcher()  # until its first round
        stream = self._extractor.stream(rate, channels, level=level, hop=hop, channel=channel, batcher=batcher)
        audio = self._extractor.config.audio
        seconds = audio.hop / audio.rate if hop is None else hop
        source = Source(self._rounds, stream, PcmBytes(channels, dtype), channels, seconds, self.backlog)
        self._sources.add(source)
        return source


class Source:
    """One live source of a hub. Made by `Hub.source`.

    Audio goes in by `push` and `skip`, frames come out by `async for`, the last one after `finish`. `async with source:`
    closes it at the end, even if a client vanishes. An error of a source is raised by the next call on that source.
    """

    def __init__(self, rounds: _Rounds, stream: Stream, pcm: PcmBytes, channels: int, hop: float, backlog: float) -> None:
        self.stream = stream
        """The stream of the source, which belongs to a thread of the hub."""
        self._rounds, self._pcm = rounds, pcm
        self._channels, self._hop, self._backlog = channels, hop, backlog
        self._frames: deque[Frame] = deque()
        self._changed = asyncio.Event()
        # Samples (samples, channels), numbers of lost samples, and None for the end: written here, read by a thread.
        self._steps: deque[NDArray[np.float32] | int | None] = deque()
        self._position = 0  # of the source after all steps, lost samples included
        self._waiting = 0  # samples in the steps
        self._due = stream.due  # the position that completes the next window
        self._urgent = False  # whether the steps cannot wait for a window
        self._in_round = False  # whether a thread has the stream
        self._finishing = False
        self._over: Exception | None = None
        self.ended = False
        """Whether the source has finished, failed or been closed."""

    @property
    def rate(self) -> int:
        """Sampling rate of the source, in hertz."""
        return self.stream.rate

    @property
    def behind(self) -> float:
        """The length of the audio that waits, in seconds: not computed yet, or in frames that were not read."""
        late = self._waiting if self._in_round or self._position >= self._due else 0
        return late / self.rate + len(self._frames) * self._hop

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
        if isinstance(samples, bytes | bytearray | memoryview):
            content = bytes(samples)
            self._check_room((len(self._pcm.rest) + len(content)) // self._pcm.size)
            try:
                samples = self._pcm.push(content)
            except AudioFormatError as error:
                self.end(error)
                raise
        checked = check_samples(samples, self._channels)
        self._check_room(len(checked))
        checked = checked.reshape(len(checked), self._channels)
        if len(checked):
            self._position += len(checked)
            self._waiting += len(checked)
            # A caller may use its buffer again at once.
            self._add(checked.copy() if np.may_share_memory(checked, samples) else checked)

    def skip(self, count: int) -> None:
        """Report that `count` samples of the source were lost, as `Stream.skip` does, and return at once.

        Raises:
            ArgumentError: a negative count, or one beyond any recording.
            StreamError: after `finish`, or when the source or its hub has ended.
        """
        self._check_open("skip")
        count = whole_number("skip", count, 0, LONGEST - self._position, "samples")
        self._position += count
        self._add(count, urgent=True)

    def finish(self) -> None:
        """Declare that no more audio comes: `async for` ends after the last frame.

        Raises:
            AudioFormatError: the bytes that were pushed ended within a sample; the source has ended.
            StreamError: as `skip`.
        """
        self._check_open("finish")
        self._finishing = True
        if self._pcm.rest:
            try:
                self._pcm.finish()
            except AudioFormatError as error:
                self.end(error)
                raise
        self._add(None, urgent=True)

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

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        """The next frame.

        Raises:
            Exception: what the source failed of, once the frames before that were read.
            StopAsyncIteration: the source finished, or was closed.
        """
        while not self._frames:
            if self._over:
                raise self._over
            if self.ended:
                raise StopAsyncIteration
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
            self._changed.set()

    def advance(self, batcher: Batcher) -> int:
        """Pass about a second of what waits to a batcher; returns the number of samples. A thread of the hub calls this."""
        self.stream.batcher = batcher
        passed, room = 0, round(_SHARE * self.rate)
        while room > 0 and self._steps and not self.ended:
            samples = self._next_samples(room)
            if len(samples):
                self.stream.push(samples)
                passed += len(samples)
            else:
                count = self._steps.popleft()
                _ = self.stream.finish() if count is None else self.stream.skip(int(count))
            room -= max(len(samples), round(_STEP * self.rate))
        return passed

    def deliver(self, result: _Result) -> None:
        """Accept the result of a round, in the thread of the event loop. The hub calls this."""
        if self.ended:
            return
        self._in_round, self._due = False, self.stream.due
        self._waiting -= result.passed
        self._frames.extend(result.frames)
        self._changed.set()
        if result.error or (self._finishing and not self._steps):
            self.end(result.error)
        self._enter_round()

    def _next_samples(self, most: int) -> NDArray[np.float32]:
        """The next samples, together, as fewer and larger pushes cost less; none where the next step is another."""
        pieces = [np.empty((0, self._channels), np.float32)]
        while most > 0 and self._steps:
            step = self._steps[0]
            if not isinstance(step, np.ndarray):
                break
            self._steps.popleft()
            if len(step) > most:
                self._steps.appendleft(step[most:])
            pieces.append(step[:most])
            most -= len(pieces[-1])
        return np.concatenate(pieces)

    def _add(self, step: NDArray[np.float32] | int | None, urgent: bool = False) -> None:
        self._steps.append(step)
        self._urgent |= urgent
        self._enter_round()

    def _enter_round(self) -> None:
        """Give the stream to a thread, if what waits completes a window or cannot wait for one."""
        if self._steps and not self._in_round and not self.ended and (self._urgent or self._position >= self._due):
            self._in_round = True
            self._rounds.add(self)
        elif not self._steps:
            self._urgent = False

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


class _Result(NamedTuple):
    """What a round gives for a source."""

    frames: Sequence[Frame]
    passed: int
    """Samples that the stream has taken."""
    error: Exception | None


class _Rounds:
    """Sources that wait, and the rounds in which threads compute them.

    A free thread takes the sources that have waited longest. The frames of a source stay in order, because it waits again
    only when it has the result of its last round.
    """

    def __init__(self, extractor: Extractor, loop: asyncio.AbstractEventLoop) -> None:
        self._extractor, self._loop = extractor, loop
        self._waiting: deque[Source] = deque()
        self._changed = threading.Condition()
        self._ended = False

    def add(self, source: Source) -> None:
        """Add a source that waits."""
        with self._changed:
            self._waiting.append(source)
            self._changed.notify()

    def end(self) -> None:
        """Drop what waits, and let `work` return after its current round."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def work(self) -> None:
        """Compute rounds until the end; a thread of the hub runs this."""
        batcher = self._extractor.batcher()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                self._changed.wait_for(lambda: len(self._waiting) >= _SOURCES or self._ended, timeout=_GATHER)
                if self._ended:
                    return
                taken = [self._waiting.popleft() for _ in range(min(_SOURCES, len(self._waiting)))]
            if not taken:
                continue
            results, intact = self._round(batcher, taken)
            if not intact:
                batcher = self._extractor.batcher()
            with contextlib.suppress(RuntimeError):  # the event loop is closed, and nobody waits for the result
                self._loop.call_soon_threadsafe(_deliver, results)
            del taken, results  # a source that nobody holds any more is gone

    def _round(self, batcher: Batcher, sources: Sequence[Source]) -> tuple[list[tuple[Source, _Result]], bool]:
        """Compute the windows that some sources complete; with it, whether the batcher can be used again."""
        frames: dict[int, list[Frame]] = {id(source.stream): [] for source in sources}
        passed = [0] * len(sources)
        errors: list[Exception | None] = [None] * len(sources)
        lost: Exception | None = None
        for k, source in enumerate(sources):
            try:
                passed[k] = source.advance(batcher)
            except Exception as error:  # noqa: BLE001 - it is raised at the source
                errors[k] = error
        try:
            batcher.flush()
            for stream, features in batcher.take():
                frames[id(stream)].extend(features)
        except Exception as error:  # noqa: BLE001 - the frames of all sources that were computed together are gone
            lost = error
        return [
            (source, _Result(frames[id(source.stream)], passed[k], errors[k] or lost)) for k, source in enumerate(sources)
        ], lost is None


def _deliver(results: list[tuple[Source, _Result]]) -> None:
    for source, result in results:
        source.deliver(result)
