"""From a run of samples to windows, each with its place in time, its level and its flags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import SILENCE, ModelConfig
from edgevoice.levels import LevelFollower, Steps, whole_level

BATCH = 8
"""Windows computed together at most: enough to share the work of a call, few enough to stay in the caches."""


class FixedLevel(NamedTuple):
    """One offset and gain for every window: a gain given by the user, or what a whole utterance was measured to have."""

    offset: float
    gain: float


class Windows(NamedTuple):
    """Some windows in time order. `samples` is a view that the next call of the windower overwrites."""

    samples: NDArray[np.floating]
    """(n, window)"""
    number: NDArray[np.int64]
    """(n,): place of each in the row of windows; lost ones are counted too."""
    start: NDArray[np.int64]
    """(n,): first samples, counted at the model's rate."""
    offset: NDArray[np.float64]
    """(n,)"""
    gain: NDArray[np.float64]
    """(n,)"""
    silent: NDArray[np.bool_]
    """(n,): the peak after the offset is below 2^-15."""
    gap: NDArray[np.bool_]
    """(n,): some samples are lost ones."""

    def only(self, chosen: NDArray[np.bool_]) -> Windows:
        """Those windows that are chosen, (n,)."""
        return Windows(
            self.samples[chosen],
            self.number[chosen],
            self.start[chosen],
            self.offset[chosen],
            self.gain[chosen],
            self.silent[chosen],
            self.gap[chosen],
        )


class Windower:
    """Cuts samples at the model's rate into windows: window k is samples [hop k, hop k + window).

    Positions, levels and flags depend on the samples alone, never on how they were cut into calls.
    """

    def __init__(
        self, config: ModelConfig, level: str | FixedLevel, hop: int, batch: int = BATCH, dtype: type = np.float32
    ) -> None:
        self._config, self._level, self.hop = config, level, hop
        self._step, self.window = config.level.step, config.audio.window
        self._batch = batch if hop <= self.window else 1
        capacity = self.window + (self._batch - 1) * hop
        self._buffer: NDArray[np.floating] = np.zeros(capacity, dtype)
        self._statistics = np.zeros((5, capacity // self._step))
        self._mean, self._low, self._high, self._offset, self._gain = self._statistics
        self._follower = LevelFollower(config.level)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._follower.reset()
        self._start = 0  # position of the buffer's first sample, a multiple of the step
        self._filled = 0  # samples in the buffer
        self._measured = 0  # of which steps were measured
        self._next = 0  # position of the next window
        self._gaps: list[list[int]] = []  # [start, end) of lost samples, in order, apart
        self.lost = 0
        """Windows that were wholly lost, and not given out."""

    @property
    def position(self) -> int:
        """Samples taken so far, lost ones included."""
        return self._start + self._filled

    def push(self, samples: NDArray[np.floating]) -> Iterator[Windows]:
        """Take samples (samples,); give the windows that they complete. To be iterated to the end."""
        taken = 0
        while taken < len(samples):
            count = min(len(samples) - taken, len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + count] = samples[taken : taken + count]
            for low, high in self._gaps:
                self._buffer[
                    max(low - self._start, self._filled) : max(0, min(high - self._start, self._filled + count))
                ] = 0
            self._filled += count
            taken += count
            yield from self._complete()

    def mark_lost(self, start: int, end: int) -> None:
        """Tell that samples start..end, from `position` on, are lost: zeros then, whatever is pushed in their place."""
        if self._gaps and start <= self._gaps[-1][1]:
            self._gaps[-1][1] = max(end, self._gaps[-1][1])
        else:
            self._gaps.append([start, end])

    def jump(self, count: int) -> Iterator[Windows]:
        """Take `count` samples that were marked as lost."""
        # Once a window's length of zeros is in, all that is buffered lies in the gap, and whole hops can be jumped over.
        settle = min(count, self.window + self.hop)
        yield from self.push(np.zeros(settle, self._buffer.dtype))
        jumps = max(0, count - settle - self.window) // self.hop
        self._start += jumps * self.hop
        self._next += jumps * self.hop
        self.lost += jumps
        yield from self.push(np.zeros(count - settle - jumps * self.hop, self._buffer.dtype))

    def _complete(self) -> Iterator[Windows]:
        self._measure()
        ready = (self.position - self._next - self.window) // self.hop + 1
        if ready > 0:
            windows = self._cut(min(ready, self._batch))
            self._next += min(ready, self._batch) * self.hop
            if len(windows.samples):
                yield windows
        if ready > 0 or self._filled == len(self._buffer):
            self._discard()

    def _measure(self) -> None:
        first, last = self._measured, self._filled // self._step
        if first == last:
            return
        steps = Steps.measure(self._buffer[first * self._step : last * self._step], self._step)
        self._mean[first:last], self._low[first:last], self._high[first:last] = steps
        self._measured = last
        if self._level == "running":
            lost = self._touching(self._start + np.arange(first, last) * self._step, self._step)
            offset, peak = self._follower.follow(steps, lost)
            self._offset[first:last] = offset
            np.divide(1.0, peak, out=self._gain[first:last])

    def _touching(self, starts: NDArray[np.int64], length: int, wholly: bool = False) -> NDArray[np.bool_]:
        """Which of the ranges [start, start + length) touch a gap, or lie wholly in one."""
        result = np.zeros(len(starts), np.bool_)
        for low, high in self._gaps:
            if wholly:
                result |= (starts >= low) & (starts + length <= high)
            else:
                result |= (starts < high) & (starts + length > low)
        return result

    def _cut(self, count: int) -> Windows:
        start = self._next + self.hop * np.arange(count)
        first = self._next - self._start
        # A view of the buffer's windows, without the checks that make sliding_window_view slow.
        item = self._buffer.itemsize
        samples: NDArray[np.floating] = np.ndarray(
            (count, self.window), self._buffer.dtype, self._buffer, first * item, (self.hop * item, item)
        )
        offset, gain, silent = self._levels((start - self._start) // self._step)
        windows = Windows(samples, start // self.hop, start, offset, gain, silent, np.zeros(count, np.bool_))
        if not self._gaps:
            return windows
        wholly = self._touching(start, self.window, wholly=True)
        self.lost += int(wholly.sum())
        windows = windows._replace(gap=self._touching(start, self.window))
        return windows.only(~wholly) if wholly.any() else windows

    def _levels(self, first: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Offset, gain and silence of the windows that begin at these steps of the buffer."""
        steps = self.window // self._step
        of_window = first[:, None] + np.arange(steps)
        low, high = self._low[of_window].min(axis=1), self._high[of_window].max(axis=1)
        if isinstance(self._level, FixedLevel):
            offset, gain = np.full(len(first), self._level.offset), np.full(len(first), self._level.gain)
        elif self._level == "running":
            offset, gain = self._offset[first + steps - 1], self._gain[first + steps - 1]
        else:
            # Row by row: a reduction over a two-dimensional index need not add in the same order for one row and for many.
            offset = np.array([np.add.reduce(self._mean[k : k + steps]) / steps for k in first.tolist()])
            levels = zip(offset.tolist(), low.tolist(), high.tolist(), strict=True)
            gain = np.array([whole_level(*level, self._config.level)[1] for level in levels])
        return offset, gain, np.maximum(high - offset, offset - low) < SILENCE

    def _discard(self) -> None:
        """Make room: drop the measured steps before the next window."""
        steps = min((self._next - self._start) // self._step, self._measured)
        samples = steps * self._step
        self._buffer[: self._filled - samples] = self._buffer[samples : self._filled]
        self._statistics[:, : self._measured - steps] = self._statistics[:, steps : self._measured]
        self._start += samples
        self._filled -= samples
        self._measured -= steps
        while self._gaps and self._gaps[0][1] <= self._start:
            del self._gaps[0]
