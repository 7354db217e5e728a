"""Many live sources in an asyncio program, their windows computed together."""

from __future__ import annotations

import asyncio
import math
import weakref
from typing import Self

from edgevoice.audio.rawpcm import PcmBytes
from edgevoice.audio.samples import is_number
from edgevoice.errors import ArgumentError, StreamError
from edgevoice.extractor import Extractor
from edgevoice.hub.source import Source
from edgevoice.hub.worker import Workers
from edgevoice.wholenumbers import whole_number


class Hub:
    """Many live sources, for servers.

        async with edgevoice.Hub(extractor) as hub:
            source = hub.source(rate=16000)
            source.push(chunk)
            ...
            async for frame in source:
                ...

    A few threads take what the sources have pushed, and each computes the windows that fall due together, as a
    `StreamGroup` does: a frame has the bits that a stream of its own would give it. The hub and its sources are used from
    the thread of the event loop alone.

    Args:
        extractor: a loaded model, which other hubs and streams may use too.
        threads: number of threads that compute; `extractor.concurrency` if None.
        backlog: how many seconds of a source may wait, as audio that is not computed or as frames that were not read. A
            push that exceeds it raises a `StreamError`, and none of its samples are used.

    Raises:
        ArgumentError: the backlog is not above 0, or the threads are not from 1 to 1024.
    """

    def __init__(self, extractor: Extractor, *, threads: int | None = None, backlog: float = 30.0) -> None:
        if not is_number(backlog) or not 0 < backlog < math.inf:
            raise ArgumentError(f"backlog {backlog!r}: expected seconds, above 0")
        self.backlog = float(backlog)
        """The length of a source's audio that may wait, in seconds."""
        self._extractor = extractor
        count = extractor.concurrency if threads is None else whole_number("threads", threads, 1, 1024)
        self._groups = [extractor.group() for _ in range(count)]
        self._workers: Workers | None = None
        self._sources: weakref.WeakSet[Source] = weakref.WeakSet()  # a source that nobody holds any more is gone
        self._ended = False

    async def __aenter__(self) -> Self:
        """Start the threads.

        Raises:
            StreamError: the hub was entered before.
        """
        if self._workers:
            raise StreamError("a hub can be entered only once: make a new one")
        self._workers = Workers(self._groups, asyncio.get_running_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the threads. Audio that was pushed and not computed is dropped; unfinished sources raise a StreamError."""
        self._ended = True
        if self._workers:
            await asyncio.to_thread(self._workers.end)
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
        if not self._workers or self._ended:
            raise StreamError(
                f"the hub {'has ended' if self._ended else 'has not begun'}: use its sources within `async with`"
            )
        stream = self._extractor.stream(rate, channels, level=level, hop=hop, channel=channel, group=self._groups[0])
        audio = self._extractor.config.audio
        seconds = audio.hop / audio.rate if hop is None else hop
        source = Source(self._workers, stream, PcmBytes(channels, dtype), channels, seconds, self.backlog)
        self._sources.add(source)
        return source
