"""Waiting that a stopped process does not spend."""

from __future__ import annotations

import math
import threading

TICK = 0.25
"""Seconds between two looks: four wake-ups a second cost nothing, and a stall is noticed soon enough."""


def wait(event: threading.Event, seconds: float) -> bool:
    """Wait for an event, at most so many seconds of this process's own running time; return whether it came.

    A process that was stopped (SIGSTOP, a debugger, a suspended machine) wakes up to time-outs that expired while
    nothing could happen. Ticks do not expire: however long one took by the clock, it counts as one.
    """
    return any(event.wait(TICK) for _ in range(math.ceil(seconds / TICK)))
