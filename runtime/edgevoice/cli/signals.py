"""The signals that end a command: Ctrl-C, SIGTERM, and those that a closed terminal sends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from edgevoice.errors import EdgeVoiceError

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
ENDING: tuple[int, ...] = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Those of this system: a closed terminal sends SIGHUP, on Windows SIGBREAK."""


class Interrupted(KeyboardInterrupt):
    """A signal came. It unwinds the program like Ctrl-C, so that incomplete files are removed."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


_came: list[int] = []
"""Signals that came since the command began."""


def raise_again() -> None:
    """Raise `Interrupted` if a signal came since the command began: inside `interruptible` alone.

    The exception of the signal itself is lost when it arrives while a C library calls back into Python:
    libsndfile's and pyarrow's callbacks cannot pass it on. A command that works through many files calls this after each.
    """
    if _came:
        raise Interrupted(_came[-1])


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside this context, the signals that end a command raise `Interrupted`."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
        _came.append(number)
        raise Interrupted(number)

    try:
        with taken_by(interrupt):
            yield
    except Exception as error:
        if isinstance(error, EdgeVoiceError) or not _came:
            raise
        raise Interrupted(_came[-1]) from error  # what a C extension has made of it, in the middle of its import
    finally:
        _came.clear()


@contextmanager
def taken_by(handler: Callable[[int, FrameType | None], object], *others: int) -> Iterator[None]:
    """Inside this context, `handler` receives the signals that end a command, and the others that are named.

    One that is ignored stays so: `nohup` and a shell that starts a job in the background ask for that. In a thread that is
    not the main one, nothing changes.
    """
    before = {}
    try:
        with suppress(ValueError):  # not the main thread
            for number in (*ENDING, *others):
                if (held := signal.getsignal(number)) not in (signal.SIG_IGN, None):  # None: not Python's to put back
                    signal.signal(number, handler)
                    before[number] = held
        yield
    finally:
        for number, held in before.items():
            signal.signal(number, held)


@contextmanager
def ends_at_once() -> Iterator[None]:
    """Inside this context, Ctrl-C ends the process at once, by SIGINT, without a message.

    For imports alone, which have nothing to clean up. A KeyboardInterrupt in the middle of one does not always arrive: C
    extensions turn it into other errors, and importlib's own callbacks print and drop it. Where Ctrl-C is not Python's to
    handle, because it is ignored, somebody else's, or this is not the main thread, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if before is signal.default_int_handler:
            with suppress(ValueError):
                signal.signal(signal.SIGINT, before)
