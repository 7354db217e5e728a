"""Processor cores: how many a process has."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Processor cores that this process may use, 1 or more."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
