"""What a capture hands to its consumer, and the queue that it goes through."""

from __future__ import annotations

import contextlib
import queue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Block(NamedTuple):
    """Consecutive samples as the device gave them."""

    data: bytes
    """Interleaved int16."""
    length: int
    """Samples of each channel."""
    start: int
    """Samples that the device gave before these, since it was opened."""
    opening: int
    """How often the device had been opened before."""
    arrived: float
    """`time.monotonic()` when PortAudio handed them over."""
    captured: float
    """When the device took the first of them, by PortAudio's clock; 0 where it does not tell."""
    told: float
    """PortAudio's clock when it handed them over."""
    overflow: bool
    """PortAudio says that samples before these were lost."""
    filled: bool
    """PortAudio says that zeros stand in for some of these."""

    def samples(self, channels: int) -> NDArray[np.int16]:
        """(length, channels), a view."""
        return np.frombuffer(self.data, np.int16).reshape(-1, channels)


class Lost(NamedTuple):
    """The device stopped delivering."""

    reason: str


class BlockQueue:
    """Blocks on their way from PortAudio's thread to the consumer. When it is full, the oldest one makes room.

    Nothing is counted here: the consumer sees by a block's `start` what went before it.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # Written in C, without a lock that a signal handler or PortAudio's thread could find taken.
        self._items: queue.SimpleQueue[Block | Lost | None] = queue.SimpleQueue()

    def put(self, item: Block | Lost) -> None:
        """Add an item; never waits."""
        self._items.put(item)
        if isinstance(item, Block) and self._items.qsize() > self._capacity:
            # The consumer may have been faster: nothing may wait here, in PortAudio's thread.
            with contextlib.suppress(queue.Empty):
                self._items.get_nowait()

    def wake(self) -> None:
        """Let `get` return. Can be called by a signal handler."""
        self._items.put(None)

    def get(self, timeout: float | None) -> Block | Lost | None:
        """The next item; None when there is none in `timeout` seconds, or on `wake`."""
        try:
            return self._items.get(timeout=timeout) if timeout is None or timeout > 0 else self._items.get_nowait()
        except queue.Empty:
            return None

    @property
    def empty(self) -> bool:
        """Whether nothing is waiting."""
        return self._items.empty()
