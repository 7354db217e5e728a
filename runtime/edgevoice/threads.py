"""Threads of our own: how many are worth having, and how they end."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue

_CGROUPS = Path("/sys/fs/cgroup")


class ThreadPool:
    """Runs calls in threads, in the order in which they are submitted.

    The threads end with the pool, and before the interpreter does: a thread that comes back from a library into an
    interpreter that has ended aborts the process. `concurrent.futures` cannot be used once the main thread has returned.

    Args:
        count: how many threads; fewer, or none, where the system has no more.
        name: that of the threads.
    """

    def __init__(self, count: int, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        for _ in range(count):
            thread = threading.Thread(target=_run, args=(self._calls,), name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                break
            self._threads.append(thread)
        self.close = weakref.finalize(self, _end, self._calls, self._threads)
        """Drop the calls that wait, and end the threads after those that run."""

    def __bool__(self) -> bool:
        return bool(self._threads) and self.close.alive

    def submit(self, call: Callable[[], object]) -> None:
        """Run a call, which raises nothing, in one of the threads."""
        self._calls.put(call)


def _run(calls: SimpleQueue[Callable[[], object] | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # what it holds is not kept until the next one comes


def _end(calls: SimpleQueue[Callable[[], object] | None], threads: list[threading.Thread]) -> None:
    with contextlib.suppress(Empty):
        while True:
            calls.get_nowait()
    for _ in threads:
        calls.put(None)
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join()


def allow_futures() -> None:
    """Import `concurrent.futures.thread`, which pandas needs, though the main thread may have returned.

    The module registers a function for the interpreter's end, which is refused then, and has nothing to do then.
    """
    try:
        import concurrent.futures.thread
    except RuntimeError:
        register = threading._register_atexit  # type: ignore[attr-defined]  # noqa: SLF001
        threading._register_atexit = lambda *_: None  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            import concurrent.futures.thread  # noqa: F401
        finally:
            threading._register_atexit = register  # type: ignore[attr-defined]  # noqa: SLF001


def usable_cores() -> int:
    """The number of processor cores that this process may use, 1 or more.

    The smallest of the cores to which it is bound, the quota of its control groups (rounded up), and PYTHON_CPU_COUNT.
    """
    counts = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    asked = os.environ.get("PYTHON_CPU_COUNT", "")
    if asked.isdecimal():
        counts.append(int(asked))
    counts += _quotas()
    return max(1, min(counts))


@lru_cache(maxsize=1)
def _quotas() -> list[int]:
    """Cores that the control groups of this process, and those above them, allow: versions 1 and 2 of Linux."""
    found = []
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # In a container the path is the host's, and the group itself is mounted at the top.
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        groups = [PurePosixPath(*parts[:count]) for count in range(len(parts), -1, -1)]
        mounts = [_CGROUPS / name for name in ("cpu", "cpu,cpuacct")] if controllers else [_CGROUPS, _CGROUPS / "unified"]
        found += [quota for mount in mounts for group in groups if (quota := _quota(mount / group))]
    return found


def _quota(group: Path) -> int | None:
    """The cores that one control group allows; None where it has no limit."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        return None if quota == "max" else math.ceil(int(quota) / int(period))
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period"))
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    return None
