"""Ctrl-C while modules are being imported."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ends_at_once() -> Iterator[None]:
    """Inside, Ctrl-C ends the process as it ends one that takes no signals: at once, by SIGINT, without a word.

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
