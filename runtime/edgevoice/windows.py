"""Cuts samples into windows, each with its place in time, its level and its flags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import SILENCE, ModelConfig
from edgevoice.levels import Level, Steps

QUIETEST = 1e-20
"""The floor of the mean square for loudness, -200 dB of full scale: digital silence has no logarithm."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows in time order. `samples` is a view that the next call of the windower overwrites."""

    samples: NDArray[np.float32]
    """(n, window)"""
    index: NDArray[np.int64]
    """(n,): numbers of the windows; lost windows count too."""
    position: NDArray[np.int64]
    """(n,): positions of the first samples, at the model's rate."""
    offset: NDArray[np.float64]
    """(n,)"""
    gain: NDArray[np.float64]
    """(n,)"""
    silent: NDArray[np.bool_]
    """(n,): whether the peak, after the offset is subtracted, is below 2^-15."""
    gap: NDArray[np.bool_]
    """(n,): whether the window contains lost samples."""
    loudness: NDArray[np.float64]
    """(n,): root mean square before any gain, dB of full scale."""

    def part(self, chosen: slice | NDArray[np.bool_]) -> Windows:
        """Select windows by a slice, or by one truth value for each, (n,)."""
        return Windows(*(getattr(self, item.name)[chosen] for item in fields(self)))


class Windower:
    """Cuts samples at the model's rate into windows: window k is samples [hop k, hop k + window).

    Positions, levels and flags depend on the samples alone, never on how they were cut into calls.

    Args:
        config: the model's.
        level: that of the source; it belongs to this windower from here on.
        hop: samples from one window to the next, a multiple of the level's step.
        batch: windows given out together at most.
    """

    def __init__(self, config: ModelConfig, level: Level, hop: int, batch: int) -> None:
        self._level, self.hop = level, hop
        self._step, self.window = config.level.step, config.audio.window
        self._batch = batch if hop <= self.window else 1
        capacity = self.window + (self._batch - 1) * hop
        self._buffer = np.zeros(capacity, np.float32)
        self._table = np.zeros((6, capacity // self._step))
        self._statistics = Steps(*self._table[:4])
        self._offset, self._gain = self._table[4:]
        self.reset()

    def reset(self) -> None:
        """Discard all samples."""
        self._level.reset()
        self._start = 0  # position of the buffer's first sample, a multiple of the step
        self._filled = 0  # samples in the buffer
        self._measured = 0  # of which steps were measured
        self._next = 0  # position of the next window
        self._gaps: list[list[int]] = []  # [start, end) of lost samples, in order, apart
        self.lost = 0
        """The number of windows that consist of lost samples only; they are not computed."""

    @property
    def position(self) -> int:
        """The number of samples taken so far, including lost ones."""
        return self._start + self._filled

    @property
    def due(self) -> int:
        """The position up to which samples are needed before the next window is complete."""
        return self._next + self.window

    def push(self, samples: NDArray[np.float32], run: Callable[[Windows], Result]) -> list[Result]:
        """Take samples (samples,), call `run` with the windows that they complete, and return its results."""
        results: list[Result] = []
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
            windows = self._complete()
            if windows is not None:
                if len(windows.samples):
                    results.append(run(windows))
                self._discard()
            elif self._filled == len(self._buffer):
                self._discard()
        return results

    def mark_lost(self, start: int, end: int) -> None:
        """Mark the samples start..end, counted from `position`, as lost: they are replaced by zeros."""
        if self._gaps and start <= self._gaps[-1][1]:
            self._gaps[-1][1] = max(end, self._gaps[-1][1])
        else:
            self._gaps.append([start, end])

    def jump(self, count: int, run: Callable[[Windows], Result]) -> list[Result]:
        """Take `count` samples that were marked as lost; everything else is as in `push`."""
        # Once one window of zeros is in the buffer, everything in it is part of the gap, and whole hops can be skipped.
        settle = min(count, self.window + self.hop)
        results = self.push(np.zeros(settle, np.float32), run)
        jumps = max(0, count - settle - self.window) // self.hop
        self._start += jumps * self.hop
        self._next += jumps * self.hop
        self.lost += jumps
        return results + self.push(np.zeros(count - settle - jumps * self.hop, np.float32), run)

    def _complete(self) -> Windows | None:
        """The windows that the buffer completes; None where there is none."""
        self._measure()
        ready = min((self.position - self._next - self.window) // self.hop + 1, self._batch)
        if ready <= 0:
            return None
        windows = self._cut(ready)
        self._next += ready * self.hop
        return windows

    def _measure(self) -> None:
        first, last = self._measured, self._filled // self._step
        if first == last:
            return
        steps = Steps.measure(self._buffer[first * self._step : last * self._step], self._step)
        lost = self._touching(self._start + np.arange(first, last) * self._step, self._step)
        self._table[:4, first:last] = steps
        self._table[4:, first:last] = self._level.follow(steps, lost)
        self._measured = last

    def _touching(self, starts: NDArray[np.int64], length: int, wholly: bool = False) -> NDArray[np.bool_]:
        """Which of the ranges [start, start + length) overlap a gap or, if `wholly`, are completely inside one."""
        result = np.zeros(len(starts), np.bool_)
        for low, high in self._gaps:
            if wholly:
                result |= (starts >= low) & (starts + length <= high)
            else:
                result |= (starts < high) & (starts + length > low)
        return result

    def _cut(self, count: int) -> Windows:
        position = self._next + self.hop * np.arange(count)
        # A view of the buffer's windows, without the checks that make sliding_window_view slow.
        item = self._buffer.itemsize
        samples: NDArray[np.float32] = np.ndarray(
            (count, self.window), np.float32, self._buffer, (self._next - self._start) * item, (self.hop * item, item)
        )
        first = (position - self._start) // self._step
        steps = Steps(*(row[first[:, None] + np.arange(self.window // self._step)] for row in self._statistics))
        last = first + self.window // self._step - 1
        offset, gain = self._level.of_windows(steps, self._offset[last], self._gain[last])
        silent = np.maximum(steps.high.max(axis=1) - offset, offset - steps.low.min(axis=1)) < SILENCE
        # Row by row, as bits must not depend on how many windows are cut together.
        power = np.array([np.add.reduce(row) / len(row) for row in steps.power])
        loudness = 10 * np.log10(np.maximum(power, QUIETEST))
        gap = self._touching(position, self.window)
        windows = Windows(samples, position // self.hop, position, offset, gain, silent, gap, loudness)
        if not gap.any():
            return windows
        wholly = self._touching(position, self.window, wholly=True)
        self.lost += int(wholly.sum())
        return windows.part(~wholly) if wholly.any() else windows

    def _discard(self) -> None:
        """Discard the measured steps before the next window."""
        steps = min((self._next - self._start) // self._step, self._measured)
        samples = steps * self._step
        self._buffer[: self._filled - samples] = self._buffer[samples : self._filled]
        self._table[:, : self._measured - steps] = self._table[:, steps : self._measured]
        self._start += samples
        self._filled -= samples
        self._measured -= steps
        while self._gaps and self._gaps[0][1] <= self._start:
            del self._gaps[0]
