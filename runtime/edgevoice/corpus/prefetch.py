"""A recording that a thread decodes while others are computed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.source import AudioSource
from edgevoice.threads import ThreadPool

_BLOCKS = 8
"""Blocks that may wait, 256 KB per channel each."""


class PrefetchSource(AudioSource):
    """A source that is opened and decoded in a thread of a pool. `wait` must come first, and its blocks come once.

    Args:
        opened: opens the recording.
        pool: whose threads decode.
    """

    def __init__(self, opened: Callable[[], AudioSource], pool: ThreadPool) -> None:
        self._open, self._stopped = opened, False
        self._room = threading.Semaphore(_BLOCKS)
        self._queue: SimpleQueue[AudioSource | NDArray[np.float32] | BaseException | None] = SimpleQueue()
        pool.submit(self._bring)

    def wait(self) -> None:
        """Wait until it is open.

        Raises:
            AudioError: it cannot be opened.
        """
        source = self._queue.get()
        if isinstance(source, BaseException):
            raise source
        assert isinstance(source, AudioSource)  # noqa: S101 - the first that comes
        self.name, self.rate, self.channels = source.name, source.rate, source.channels
        self.first, self.seconds = source.first, source.seconds

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The samples, once."""
        while (block := self._queue.get()) is not None:
            if isinstance(block, BaseException):
                raise block
            self._room.release()
            yield block  # type: ignore[misc]  # no source comes after the first item

    def close(self) -> None:
        """Let the thread end its work."""
        self._stopped = True
        self._room.release()

    def _bring(self) -> None:
        try:
            with self._open() as source:
                self._queue.put(source)
                for block in source.blocks():
                    self._room.acquire()
                    if self._stopped:
                        return
                    self._queue.put(block)
            self._queue.put(None)
        except BaseException as error:  # noqa: BLE001 - raised where the blocks are taken
            self._queue.put(error)
