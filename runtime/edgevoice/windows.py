"""Cuts samples into windows, each with its place in time, its level and its flags."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import methodcaller
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.samples import as_float
from edgevoice.config import SILENCE, ModelConfig
from edgevoice.errors import ArgumentError
from edgevoice.levels import Level, Steps

QUIETEST = 1e-20
"""The floor of the mean square for loudness, -200 dB of full scale: digital silence has no logarithm."""

FACTS = np.dtype(
    [
        ("index", np.int64),
        ("position", np.int64),
        ("silent", np.bool_),
        ("gap", np.bool_),
        ("loudness", np.float64),
        ("offset", np.float64),
        ("gain", np.float64),
    ],
    align=True,
)
"""What is known of a window besides its samples; `Facts` says what each of them means."""

Whole = TypeVar("Whole")
Flag = TypeVar("Flag")
Number = TypeVar("Number")


class Facts(Generic[Whole, Flag, Number]):
    """The facts of one window, or of many as arrays (windows,)."""

    facts: Any
    """Structured, of the dtype `FACTS`; each of its fields is a property."""
    index: Whole
    """Number of the window, counted from 0 where reading began; lost windows count too."""
    position: Whole
    """Position of the window's first sample, in samples at the model's rate, including lost samples."""
    silent: Flag
    """Whether the window's peak, after the offset is subtracted, is below one step of 16-bit audio, 2^-15."""
    gap: Flag
    """Whether some of the window's samples were lost; zeros replace them."""
    loudness: Number
    """Root mean square of the window before any gain, in dB of full scale; -200 for digital silence."""
    offset: Number
    """The offset that the level subtracted from the samples."""
    gain: Number
    """The gain by which the level then multiplied them."""

    def fact(self, name: str) -> Any:
        """One of the facts."""
        return self.facts[name]


for _name in FACTS.names or ():
    setattr(Facts, _name, property(methodcaller("fact", _name)))


def find_hop(seconds: float | None, config: ModelConfig) -> int:
    """The samples of a hop in seconds, a multiple of the level's step; None is the model's own hop.

    Raises:
        ArgumentError: it is another number, or none.
    """
    audio, step = config.audio, config.level.step
    if seconds is None:
        return audio.hop
    asked = as_float(seconds) * audio.rate
    if not 0 < asked < 3600 * audio.rate:
        raise ArgumentError(f"hop {seconds!r}: expected seconds, above 0 and below 3600")
    samples = round(asked)
    if samples == 0 or samples % step or abs(samples - asked) > 1e-6 * audio.rate:
        raise ArgumentError(f"hop {seconds}: expected a multiple of {step / audio.rate:g} s, the step of the level")
    return samples


class Windows(NamedTuple):
    """Windows in time order. The next call of the windower overwrites `samples`."""

    samples: NDArray[np.float32]
    """(n, window), a view."""
    facts: NDArray[Any]
    """(n,), of the dtype `FACTS`."""


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
        self._is_lost = np.zeros(capacity, np.bool_)
        self._table = np.zeros((7, capacity // self._step))
        self._statistics = Steps(*self._table[:4])
        self._offset, self._gain, self._lost_samples = self._table[4:]
        self.reset()

    def reset(self) -> None:
        """Discard all samples."""
        self._level.reset()
        self._start = 0  # position of the buffer's first sample, a multiple of the step
        self._filled = 0  # samples in the buffer
        self._measured = 0  # of which steps were measured
        self._next = 0  # position of the next window
        self._lost_end = 0  # position behind the last lost sample that was taken
        self._gaps: deque[list[int]] = deque()  # [start, end) of lost samples that are still to come, in order, apart
        self.lost = 0
        """The number of windows that consist of lost samples only; they are not computed."""

    @property
    def position(self) -> int:
        """The number of samples taken so far, including lost ones."""
        return self._start + self._filled

    @property
    def windows(self) -> int:
        """The number of windows given out so far."""
        return self._next // self.hop - self.lost

    @property
    def due(self) -> int:
        """The position up to which samples are needed before the next window is complete."""
        return self._next + self.window

    def push(self, samples: NDArray[np.float32], put: Callable[[Windows], object]) -> None:
        """Take samples (samples,), and call `put` with the windows that they complete."""
        taken = 0
        while taken < len(samples):
            count = min(len(samples) - taken, len(self._buffer) - self._filled)
            new = slice(self._filled, self._filled + count)
            self._buffer[new] = samples[taken : taken + count]
            self._mark(self._is_lost[new], self._buffer[new])
            self._filled += count
            taken += count
            windows = self._complete()
            if windows is not None:
                if len(windows.samples):
                    put(windows)
                self._discard()
            elif self._filled == len(self._buffer):
                self._discard()

    def mark_lost(self, start: int, end: int) -> None:
        """Mark the samples start..end, counted from 0 and at or after `position`, as lost: zeros replace them."""
        if self._gaps and start <= self._gaps[-1][1]:
            self._gaps[-1][1] = max(end, self._gaps[-1][1])
        else:
            self._gaps.append([start, end])

    def jump(self, count: int, put: Callable[[Windows], object]) -> None:
        """Take `count` samples that were marked as lost; everything else is as in `push`."""
        # Once one window of zeros is in the buffer, everything in it is part of the gap, and whole hops can be skipped.
        settle = min(count, self.window + self.hop)
        self.push(np.zeros(settle, np.float32), put)
        jumps = max(0, count - settle - self.window) // self.hop
        self._start += jumps * self.hop
        self._next += jumps * self.hop
        self.lost += jumps
        self.push(np.zeros(count - settle - jumps * self.hop, np.float32), put)

    def _mark(self, is_lost: NDArray[np.bool_], samples: NDArray[np.float32]) -> None:
        """Set which of the samples that follow `position` are lost, and replace these by zeros."""
        is_lost[:] = False
        end = self.position + len(samples)
        while self._gaps and self._gaps[0][0] < end:
            first, last = self._gaps[0]
            inside = slice(max(0, first - self.position), last - self.position)
            is_lost[inside], samples[inside] = True, 0
            self._lost_end = min(last, end)
            if last > end:
                break
            self._gaps.popleft()

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
        new = slice(first * self._step, last * self._step)
        steps = Steps.measure(self._buffer[new], self._step)
        lost = np.zeros(last - first)
        if self._lost_end > self._start:
            lost += np.add.reduce(self._is_lost[new].reshape(-1, self._step), axis=1)
        self._table[:4, first:last] = steps
        self._table[4:6, first:last] = self._level.follow(steps, lost > 0)
        self._lost_samples[first:last] = lost
        self._measured = last

    def _cut(self, count: int) -> Windows:
        position = self._next + self.hop * np.arange(count)
        # A view of the buffer's windows, without the checks that make sliding_window_view slow.
        item = self._buffer.itemsize
        samples: NDArray[np.float32] = np.ndarray(
            (count, self.window), np.float32, self._buffer, (self._next - self._start) * item, (self.hop * item, item)
        )
        first = (position - self._start) // self._step
        own = first[:, None] + np.arange(self.window // self._step)
        steps = Steps(*(row[own] for row in self._statistics))
        last = own[:, -1]
        facts = np.empty(count, FACTS)
        facts["index"], facts["position"] = position // self.hop, position
        facts["offset"], facts["gain"] = offset, _ = self._level.of_windows(steps, self._offset[last], self._gain[last])
        facts["silent"] = np.maximum(steps.high.max(axis=1) - offset, offset - steps.low.min(axis=1)) < SILENCE
        # Row by row, as bits must not depend on how many windows are cut together.
        power = np.array([np.add.reduce(row) / len(row) for row in steps.power])
        facts["loudness"] = 10 * np.log10(np.maximum(power, QUIETEST))
        facts["gap"] = False
        if self._lost_end <= self._start:
            return Windows(samples, facts)
        lost = self._lost_samples[own].sum(axis=1)
        facts["gap"] = lost > 0
        wholly = lost == self.window
        if not wholly.any():
            return Windows(samples, facts)
        self.lost += int(wholly.sum())
        return Windows(samples[~wholly], facts[~wholly])

    def _discard(self) -> None:
        """Discard the measured steps before the next window."""
        steps = min((self._next - self._start) // self._step, self._measured)
        samples = steps * self._step
        self._buffer[: self._filled - samples] = self._buffer[samples : self._filled]
        self._is_lost[: self._filled - samples] = self._is_lost[samples : self._filled]
        self._table[:, : self._measured - steps] = self._table[:, steps : self._measured]
        self._start += samples
        self._filled -= samples
        self._measured -= steps
