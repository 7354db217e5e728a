"""Threads that compute the windows of several sources together."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from edgevoice.errors import DeviceError
from edgevoice.features import Frame
from edgevoice.stream import Stream, StreamGroup

_ROUND = 4
"""Largest number of sources whose windows are computed together. With more, frames come later, and hardly any time is
saved.
"""
_GATHER = 0.008
"""How long a thread waits for that many sources, in seconds, so that windows that are due close together share a run."""


class Step(NamedTuple):
    """A step of a source for its stream."""

    verb: str
    """`push`, `skip` or `finish`."""
    given: tuple[Any, ...]


@dataclass(slots=True)
class News:
    """The result of a round for a source."""

    source: Listener
    frames: list[Frame] = field(default_factory=list)
    taken: int = 0
    """The number of samples that the stream has taken so far."""
    due: int = 0
    """The number of samples that the stream needs before its next frame."""
    error: Exception | None = None
    finished: bool = False


class Listener(Protocol):
    """What a worker needs to know about a source."""

    stream: Stream
    ended: bool

    def hear(self, news: News) -> None:
        """Accept the result of a round; called in the thread of the event loop."""
        ...


class Workers:
    """Threads that compute the steps of sources, each with its own group of streams.

    A free thread takes the sources that have waited longest. The frames of a source stay in order, because a source hands
    over again only when it has received the last result.

    Args:
        groups: one for each thread.
        loop: the event loop in which sources receive results.
    """

    def __init__(self, groups: Sequence[StreamGroup], loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Listener, Sequence[Step]]] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._threads = [
            threading.Thread(target=self._work, args=(group,), name="edgevoice.Hub", daemon=True) for group in groups
        ]
        for thread in self._threads:
            thread.start()

    def take(self, source: Listener, steps: Sequence[Step]) -> None:
        """Add the next steps of a source; return at once."""
        with self._changed:
            self._waiting.append((source, steps))
            self._changed.notify()

    def end(self) -> None:
        """Drop what waits, and end the threads after their current round."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self, group: StreamGroup) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                self._changed.wait_for(lambda: len(self._waiting) >= _ROUND or self._ended, timeout=_GATHER)
                if self._ended:
                    return
                taken = [self._waiting.popleft() for _ in range(min(_ROUND, len(self._waiting)))]
            if taken:
                self._tell(self._round(group, taken))

    def _round(self, group: StreamGroup, taken: Sequence[tuple[Listener, Sequence[Step]]]) -> list[News]:
        """Execute the steps of some sources, and compute the windows that they complete."""
        news = {source.stream: News(source) for source, _ in taken}
        lost: DeviceError | None = None
        for source, steps in taken:
            told = news[source.stream]
            try:
                source.stream.join(group)
                for step in steps:
                    if not source.ended:
                        getattr(source.stream, step.verb)(*step.given)
                        told.finished = step.verb == "finish"
            except DeviceError as error:
                lost = error
            except Exception as error:  # noqa: BLE001  it is raised at the source
                told.error = error
        try:
            for stream, features in group.collect():
                news[stream].frames = list(features)
        except DeviceError as error:
            lost = error
        for told in news.values():
            told.taken, told.due = told.source.stream.position, told.source.stream.due
            told.error = told.error or lost  # the frames of all sources that were computed together are gone
        return list(news.values())

    def _tell(self, news: list[News]) -> None:
        """Send the results of a round to the thread of the event loop."""

        def tell() -> None:
            for told in news:
                told.source.hear(told)

        with contextlib.suppress(RuntimeError):  # the event loop is closed, and nobody waits for the result
            self._loop.call_soon_threadsafe(tell)
