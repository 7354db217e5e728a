"""Times calls in alternation, and summarises the times by percentiles."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PERCENTILES = (50.0, 90.0, 99.0, 99.9)
_BEYOND = 5
"""Runs that lie beyond a percentile, at least: the 99.9th of 1000 runs would be a single one."""


@dataclass(frozen=True)
class Call:
    """A function to be timed."""

    name: str
    run: Callable[[], object]
    prepare: Callable[[], object] | None = None
    """Called before each `run`; its time is not counted."""
    windows: int = 1
    """The number of windows that one run computes; times are divided by it."""


@dataclass(frozen=True)
class Timing:
    """The time per window of each run."""

    seconds: NDArray[np.float64]
    """Times (runs,) in seconds, in the order of the runs."""

    @property
    def median(self) -> float:
        """The median in seconds."""
        return float(np.median(self.seconds))

    @property
    def notch(self) -> tuple[float, float]:
        """Interval of the median, in seconds: 1.57 interquartile ranges over the root of the runs to either side.

        Where the intervals of two medians do not overlap, they differ at about the 5 % level (McGill, Tukey and Larsen,
        Variations of Box Plots, 1978).
        """
        low, high = np.percentile(self.seconds, [25, 75])
        reach = 1.57 * (high - low) / math.sqrt(len(self.seconds))
        return self.median - reach, self.median + reach

    def summary(self) -> dict[str, float]:
        """Milliseconds: `p50`, those of `p90`, `p99` and `p99.9` that the number of runs carries, and `max`."""
        runs = len(self.seconds)
        carried = [at for at in _PERCENTILES if at == 50 or round(runs * (100 - at)) >= 100 * _BEYOND]
        values = {f"p{at:g}": 1e3 * float(np.percentile(self.seconds, at)) for at in carried}
        return {**values, "max": 1e3 * float(self.seconds.max())}


def time_calls(
    calls: Sequence[Call], rounds: int, warm_up: int = 10, progress: Callable[[int], object] = lambda _: None
) -> dict[str, Timing]:
    """Time calls, `rounds` times each, in alternation, so that a slow phase of the machine affects all of them.

    Every round runs each call once, and begins with another one; of the warm-up rounds before, no time is taken. The garbage
    collector rests meanwhile. `progress` is called with 1 after each round; the result is by the names of the calls.
    """
    times = np.empty((len(calls), rounds))
    collected = gc.isenabled()
    gc.disable()
    try:
        for number in range(-warm_up, rounds):
            for place in range(len(calls)):
                call = calls[k := (place + number) % len(calls)]
                if call.prepare:
                    call.prepare()
                begin = time.perf_counter()
                call.run()
                end = time.perf_counter()
                if number >= 0:
                    times[k, number] = (end - begin) / call.windows
            if number >= 0:
                progress(1)
    finally:
        if collected:
            gc.enable()
    return {call.name: Timing(times[k]) for k, call in enumerate(calls)}
