"""Many live sources in an asyncio program, their windows computed together in one thread."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.rawpcm import PcmBytes
from edgevoice.audio.samples import check_samples, is_number
from edgevoice.errors import ArgumentError, AudioFormatError, DeviceError, StreamError
from edgevoice.extractor import Extractor
from edgevoice.features import Frame
from edgevoice.stream import Stream
from edgevoice.wholenumbers import whole_number

_GATHER = 0.005
"""Seconds that the thread waits after a round, so that windows that fall due close together are computed together."""


class Hub:
    """Many live sources, for servers.

        async with edgevoice.Hub(extractor) as hub:
            source = hub.source(rate=16000)
            source.push(chunk)
            ...
            async for frame in source:
                ...

    One thread takes what all sources have pushed, and computes the windows that this completes together, as a
    `StreamGroup` does: each frame has the bits that a stream of its own would give it. The hub and its sources are used
    from the thread of the event loop alone.

    Args:
        extractor: what computes; other hubs and streams may use it too.
        backlog: seconds of a source's audio that may wait, before they are computed or as frames that nobody has read. A
            push beyond that is refused with a `StreamError`, and nothing of it is taken.

    Raises:
        ArgumentError: the backlog is not above 0.
    """

    def __init__(self, extractor: Extractor, *, backlog: float = 30.0) -> None:
        if not is_number(backlog) or not 0 < backlog < math.inf:
            raise ArgumentError(f"backlog {backlog!r}: expected seconds, above 0")
        self.backlog = float(backlog)
        """Seconds of a source's audio that may wait."""
        self._extractor = extractor
        self._group = extractor.group()
        self._thread: threading.Thread | None = None
        self._sources: weakref.WeakSet[Source] = weakref.WeakSet()  # one that its user forgot is gone
        self._waiting: list[tuple[Source, _Step]] = []
        self._changed = threading.Condition()
        self._ended = False

    async def __aenter__(self) -> Self:
        """Start the thread.

        Raises:
            StreamError: the hub was entered before.
        """
        if self._thread:
            raise StreamError("a hub is entered once: make another one")
        self._thread = threading.Thread(
            target=self._work, args=(asyncio.get_running_loop(),), name="edgevoice.Hub", daemon=True
        )
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the thread. What was pushed and not computed is given up; sources that had not ended raise a StreamError."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify()
        if self._thread:
            await asyncio.to_thread(self._thread.join)
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
        """One more source.

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
        self._check_running()
        stream = self._extractor.stream(rate, channels, level=level, hop=hop, channel=channel, group=self._group)
        audio = self._extractor.config.audio
        source = Source(self, stream, PcmBytes(channels, dtype), channels, audio.hop / audio.rate if hop is None else hop)
        self._sources.add(source)
        return source

    def _check_running(self) -> None:
        if not self._thread or self._ended:
            raise StreamError(
                f"the hub {'has ended' if self._ended else 'has not begun'}: use its sources within `async with`"
            )

    def take(self, source: Source, step: _Step) -> None:
        """Hand a step of a source to the thread; for sources."""
        self._check_running()
        with self._changed:
            self._waiting.append((source, step))
            self._changed.notify()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """What the thread does until the hub ends."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                steps, self._waiting = self._waiting, []
            self._tell(loop, self._round(steps))
            with self._changed:
                self._changed.wait_for(lambda: self._ended, timeout=_GATHER)

    def _round(self, steps: Iterable[tuple[Source, _Step]]) -> list[_News]:
        """Take the steps in order, and compute what they complete."""
        news: dict[Source, _News] = {}
        owners: dict[Stream, _News] = {}
        lost: DeviceError | None = None
        for source, step in _joined(steps):
            told = owners[source.stream] = news.setdefault(source, _News(source))
            if told.error is None and not source.ended:
                try:
                    getattr(source.stream, step.verb)(*step.given)
                except DeviceError as error:
                    lost = error
                except Exception as error:  # noqa: BLE001  it is raised at the source
                    told.error = error
                told.finished = step.verb == "finish"
        try:
            for stream, features in self._group.collect():
                owners[stream].frames = list(features)
        except DeviceError as error:
            lost = error
        for told in news.values():
            told.taken = told.source.stream.position
            told.error = told.error or lost  # the frames of all sources that were computed together are gone
        return list(news.values())

    def _tell(self, loop: asyncio.AbstractEventLoop, news: list[_News]) -> None:
        """Bring what came of a round to the event loop's thread."""

        def tell() -> None:
            for told in news:
                told.source.hear(told)

        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody is left to hear it
            loop.call_soon_threadsafe(tell)


class Source:
    """One live source of a hub. Made by `Hub.source`.

    Audio goes in by `push` and `skip`, frames come out by `async for`, the last one after `finish`. `async with source:`
    closes it at the end, as a server does whose client may vanish. What goes wrong with a source is raised at that source,
    by what is called next.
    """

    def __init__(self, hub: Hub, stream: Stream, pcm: PcmBytes, channels: int, hop: float) -> None:
        self.stream = stream
        """Its stream, which belongs to the hub's thread."""
        self._hub, self._pcm = hub, pcm
        self._channels, self._hop = channels, hop
        self._frames: deque[Frame] = deque()
        self._heard = asyncio.Event()
        self._pushed = self._taken = 0
        self._finishing = False
        self._over: Exception | None = None
        self.ended = False
        """Whether nothing more will come of it: it finished, failed or was closed."""

    @property
    def rate(self) -> int:
        """Sampling rate of the source, in hertz."""
        return self.stream.rate

    @property
    def behind(self) -> float:
        """Seconds of audio that wait: pushed and not yet computed, or frames that nobody has read."""
        return (self._pushed - self._taken) / self.rate + len(self._frames) * self._hop

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
        if isinstance(samples, np.ndarray):
            self._check_room(len(samples))
        else:
            samples = bytes(samples)
            self._check_room((len(self._pcm.rest) + len(samples)) // self._pcm.size)
            try:
                samples = self._pcm.push(samples)
            except AudioFormatError as error:
                self.end(error)
                raise
        checked = check_samples(samples, self._channels).reshape(len(samples), self._channels)
        if not len(checked):
            return
        self._pushed += len(checked)
        # A caller may use its buffer again at once.
        self._hub.take(self, _Step("push", (checked.copy() if np.may_share_memory(checked, samples) else checked,)))

    def skip(self, count: int) -> None:
        """Tell that `count` samples of the source were lost, as `Stream.skip`, and return at once.

        Raises:
            ArgumentError: a negative count.
            StreamError: as `push`.
        """
        self._check_open("skip")
        count = whole_number("skip", count, 0, unit="samples")
        self._pushed += count
        self._hub.take(self, _Step("skip", (count,)))

    def finish(self) -> None:
        """Say that no more audio comes: `async for` ends after the last frame.

        Raises:
            AudioFormatError: the bytes that were pushed ended within a sample; the source has ended.
            StreamError: as `push`.
        """
        self._check_open("finish")
        self._finishing = True
        if self._pcm.rest:
            try:
                self._pcm.finish()
            except AudioFormatError as error:
                self.end(error)
                raise
        self._hub.take(self, _Step("finish", ()))

    def close(self) -> None:
        """Give up what waits: nothing more is computed for it, and `async for` ends. May be called twice."""
        self._frames.clear()
        self.end(None)

    async def drain(self) -> None:
        """Wait until less than half of the hub's backlog waits: for a source that can be held back, such as a file.

        Frames count until they are read, so another task must read them.

        Raises:
            Exception: what the source failed of.
        """
        while not self.ended and self.behind > self._hub.backlog / 2:
            self._heard.clear()
            await self._heard.wait()
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
            self._heard.clear()
            await self._heard.wait()
        frame = self._frames.popleft()
        self._heard.set()  # `drain` may be waiting for it
        return frame

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def hear(self, news: _News) -> None:
        """Take what came of a round; for the hub."""
        if self.ended:
            return
        self._taken = news.taken
        self._frames.extend(news.frames)
        self._heard.set()
        if news.error or news.finished:
            self.end(news.error)

    def end(self, error: Exception | None) -> None:
        """Take nothing more, and raise the error at whatever is called next; for the hub."""
        if not self.ended:
            self.ended, self._over = True, error
            self._heard.set()

    def _check_open(self, verb: str) -> None:
        if self._over:
            raise self._over
        if self.ended or self._finishing:
            raise StreamError(f"{verb} after {'finish' if self._finishing else 'close'}: the source has ended")

    def _check_room(self, count: int) -> None:
        if self._pushed > self._taken or self._frames:
            behind = self.behind + count / self.rate
            if behind > self._hub.backlog:
                raise StreamError(
                    f"{behind:.1f} s of audio would wait at this source, more than the backlog of {self._hub.backlog:g} s: "
                    "read its frames, push less at a time (drain() waits), or count what is left out with skip()"
                )


def _joined(steps: Iterable[tuple[Source, _Step]]) -> Iterator[tuple[Source, _Step]]:
    """The steps of each source in order, what it pushed in a row as one: the later the thread, the less a push costs."""
    by_source: dict[Source, list[tuple[str, list[Any]]]] = {}
    for source, step in steps:
        own = by_source.setdefault(source, [])
        if step.verb == "push" and own and own[-1][0] == "push":
            own[-1][1].extend(step.given)
        else:
            own.append((step.verb, list(step.given)))
    for source, own in by_source.items():
        for verb, given in own:
            yield source, _Step(verb, (np.concatenate(given),) if verb == "push" and len(given) > 1 else tuple(given))


class _Step(NamedTuple):
    """What a source asks of its stream."""

    verb: str
    given: tuple[Any, ...]


@dataclass(slots=True)
class _News:
    """What came of a round for a source."""

    source: Source
    frames: list[Frame] = field(default_factory=list)
    taken: int = 0
    """Samples that its stream has taken so far."""
    error: Exception | None = None
    finished: bool = False
