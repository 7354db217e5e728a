"""Suppresses messages that libraries print by themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside this context, only writes to `sys.stderr` reach standard error.

    PortAudio and ALSA write whole screens to its file descriptor, past `sys.stderr`, at every device that they cannot open.
    """
    outer = sys.stderr
    try:
        number = outer.fileno()
    except (AttributeError, OSError, ValueError):
        yield
        return
    kept = os.dup(number)
    silence = os.open(os.devnull, os.O_WRONLY)
    outer.flush()
    os.dup2(silence, number)
    os.close(silence)
    sys.stderr = inner = open(kept, "w", buffering=1, encoding=outer.encoding, errors=outer.errors)  # noqa: PTH123, SIM115
    try:
        yield
    finally:
        sys.stderr = outer
        os.dup2(kept, number)
        with suppress(OSError):  # it still contained text, and its terminal is gone
            inner.close()
