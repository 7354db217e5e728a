"""Blocks of windows computed on several threads at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from queue import Empty, SimpleQueue
from threading import Event, Thread

from edgevoice.analysis import Analysis
from edgevoice.cores import usable_cores
from edgevoice.features import Features
from edgevoice.windows import Windows

_AHEAD = 2
"""Blocks, for each worker, that may be taken before the first of them is given out: none waits while another reads."""
_MOST = 8


def analysed(
    blocks: Iterable[Windows], new_analysis: Callable[[], Analysis], workers: int
) -> Generator[Features, None, None]:
    """Features of blocks of windows, block by block in their order, several of them computed at the same time.

    The calling thread is one of the workers: it takes blocks, and computes when enough wait. The others are threads that
    begin when there is a block for them, and have ended when this generator has: close it where it may not be read to its
    end. Each worker has an analysis of its own. What a block gives does not depend on how many workers there are.

    Args:
        blocks: taken from the calling thread alone, at most `2 workers + 1` ahead of what was given out.
        new_analysis: makes the analysis of one worker. With more than one, windows must not depend on each other.
        workers: 1 or more; with 1 nothing leaves the calling thread.

    Raises:
        EdgeVoiceError: whatever computing a block raised; the blocks after it are dropped.
    """
    own = new_analysis()
    if workers == 1:
        for windows in blocks:
            yield own.run(windows)
        yield from own.finish()
        return
    todo: SimpleQueue[_Task | None] = SimpleQueue()
    pending: deque[_Task] = deque()
    helpers: list[Thread] = []

    def first() -> Features:
        """Features of the oldest block; computes others while a helper is busy with it."""
        while not pending[0].done.is_set():
            try:
                task = todo.get_nowait()
            except Empty:
                pending[0].done.wait()
            else:
                if task:
                    task.run(own)
                    task.result()  # an error, above all an interrupt, does not wait for its turn
        return pending.popleft().result()

    try:
        for windows in blocks:
            task = _Task(windows)
            pending.append(task)
            todo.put(task)
            if len(helpers) < min(workers, len(pending)) - 1:
                helpers.append(Thread(target=_help, args=(todo, new_analysis()), name="edgevoice extract"))
                helpers[-1].start()
            if len(pending) > _AHEAD * workers:
                yield first()
        while pending:
            yield first()
    finally:
        while not todo.empty():
            todo.get()
        for _ in helpers:
            todo.put(None)
        for helper in helpers:
            helper.join()


def default_workers(threads: int) -> int:
    """How many workers of so many threads each the cores hold: 1 to 8, as each takes 20 MB."""
    return min(max(1, usable_cores() // threads), _MOST)


class _Task:
    """One block, and what comes of it."""

    def __init__(self, windows: Windows) -> None:
        # The windower overwrites what it gave out.
        self._windows = windows._replace(samples=windows.samples.copy())
        self._outcome: Features | BaseException
        self.done = Event()

    def run(self, analysis: Analysis) -> None:
        """Compute; never raises."""
        try:
            self._outcome = analysis.run(self._windows)
        except BaseException as error:  # noqa: BLE001 - raised by the thread that asks for the result
            self._outcome = error
        self.done.set()

    def result(self) -> Features:
        """What computing gave, or raised, once it is done."""
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


def _help(todo: SimpleQueue[_Task | None], analysis: Analysis) -> None:
    while (task := todo.get()) is not None:
        task.run(analysis)
