"""Places blocks on the time line of a stream, and estimates when samples were captured."""

from __future__ import annotations

import collections
import itertools
from typing import NamedTuple

from edgevoice.microphone.capture import AudioBlock

JUMP = 0.1
"""How far samples must fall behind the clock, in seconds, before some of them count as lost ..."""
LASTING = 1.0
"""... and for how many seconds: blocks that are only late catch up."""
_CATCHING_UP = 0.02
_LARGEST_AGE = 1.0


class Losses(NamedTuple):
    """Lost samples by their cause, at the rate of the source. For one block, they are in the order of the losses."""

    reopening: int = 0
    """The device was lost and opened again: an estimate."""
    queue: int = 0
    """The consumer was slow, and the queue full: exact."""
    device: int = 0
    """PortAudio reported an overflow, or filled a block with zeros: an estimate."""
    clock: int = 0
    """The samples permanently fell behind the clock: an estimate."""

    @property
    def total(self) -> int:
        """The total."""
        return sum(self)

    def first(self, count: int) -> Losses:
        """The first `count` of them, or all where there are fewer."""
        ends = [min(end, count) for end in itertools.accumulate(self, initial=0)]
        return Losses(*(end - start for start, end in itertools.pairwise(ends)))


class Timeline:
    """Counts the samples of a source, lost ones included, and follows them with `time.monotonic()`.

    The arrival time of a block, minus its end in seconds of audio, is constant except for the delay of the block. The
    smallest of these differences in the last ten seconds belongs to the least delayed block, and gives the capture time of
    any sample: jitter and bursts do not disturb it, and it follows the drift of the device's clock. If PortAudio reports
    that samples were already old on arrival, the smallest age of these seconds is subtracted.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.position = 0
        """The number of samples so far, including lost ones."""
        self._previous: AudioBlock | None = None
        self._offset, self._age = _Lowest(), _Lowest()
        self._late: tuple[AudioBlock, float, float] | None = None  # the first late block, its offset, and the lowest since

    def captured(self, seconds: float) -> float:
        """The time, by `time.monotonic()`, at which the sample at `seconds` of the source was captured."""
        return self._offset.value + seconds - self._age.value

    def place(self, block: AudioBlock) -> Losses:
        """Add the next block; return what was lost before it."""
        lost = self._before(block)
        age = block.stream_time - block.captured - block.length / self._rate if block.captured else 0.0
        if self._previous is None or block.opening != self._previous.opening:
            self._offset, self._age, self._late = _Lowest(), _Lowest(), None
        self._age.add(min(max(age, 0.0), _LARGEST_AGE), block.arrived)
        end = self.position + lost.total + block.length
        offset = block.arrived - end / self._rate
        self._offset.add(offset, block.arrived)
        jump = self._jump(offset, block)
        self.position = end + jump
        self._previous = block
        return lost._replace(clock=jump)

    def _before(self, block: AudioBlock) -> Losses:
        previous = self._previous
        if previous is None:
            return Losses()
        if block.opening != previous.opening:
            first = block.arrived - block.length / self._rate
            return Losses(reopening=max(1, round((first - self._offset.value) * self._rate) - self.position))
        dropped = block.start - previous.start - previous.length
        if not block.overflow:
            return Losses(queue=dropped)
        # In an overflow: as PortAudio's clock says, at most the delay of the block, at least one sample.
        late = block.arrived - (self.position + dropped + block.length) / self._rate - self._offset.value
        if block.captured and previous.captured:
            late = min(late, block.captured - previous.captured - (previous.length + dropped) / self._rate)
        return Losses(queue=dropped, device=max(1, round(late * self._rate)))

    def _jump(self, offset: float, block: AudioBlock) -> int:
        if offset - self._offset.value <= JUMP:
            self._late = None
            return 0
        if self._late is None or not -_CATCHING_UP <= offset - self._late[1] <= JUMP:
            # Late for the first time, catching up, or even later: only a constant delay stays.
            self._late = block, offset, offset
            return 0
        first, since, lowest = self._late
        self._late = first, since, min(lowest, offset)
        # Both the clock and the audio must have advanced: for a process that was stopped, only the clock has.
        heard = (block.start + block.length - first.start) / self._rate
        if min(block.arrived - first.arrived, heard) < LASTING:
            return 0
        lost = round((self._late[2] - self._offset.value) * self._rate)
        self._late = None
        return lost


class _Lowest:
    """The smallest value of the last ten seconds."""

    def __init__(self) -> None:
        self._seconds: collections.deque[tuple[int, float]] = collections.deque(maxlen=10)
        self.value = 0.0

    def add(self, value: float, moment: float) -> None:
        second = int(moment)
        if self._seconds and self._seconds[-1][0] == second:
            value = min(self._seconds.pop()[1], value)
        self._seconds.append((second, value))
        self.value = min(value for _, value in self._seconds)
