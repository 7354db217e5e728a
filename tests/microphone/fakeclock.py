"""A clock that goes on when a test says so, or when somebody waits."""

from __future__ import annotations

import time


class FakeClock:
    """What is used of the module `time`. Computing is measured by the real one: it takes no time by this clock."""

    perf_counter = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self.now = 1000.0
        """Seconds since some moment."""

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1.7e9 + self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
