"""Standard output and standard error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO

from edgevoice.errors import OutputError


def tell(message: object) -> None:
    """Say something on stderr, in one line."""
    print("edgevoice:", one_line(message), file=sys.stderr)


def one_line(message: object) -> str:
    """A message without its line breaks."""
    return " ".join(str(message).split())


def standard_output() -> IO[bytes]:
    """Standard output, for bytes.

    Raises:
        OutputError: it is closed.
    """
    if sys.stdout is None:
        raise OutputError("standard output: is closed")
    return sys.stdout.buffer


def drop_output() -> None:
    """Give up standard output, because nobody reads it any more: Python's flush at exit would complain, or wait for ever."""
    with suppress(OSError, AttributeError):  # closed already, or no file of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
