"""Standard output and standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from edgevoice.errors import OutputError
from edgevoice.files import writing


def tell(message: object, program: str = "edgevoice") -> None:
    """Write a message to standard error, in one line. Nothing happens where it is closed or its terminal is gone."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"{program}:", one_line(message), file=sys.stderr)


def one_line(message: object) -> str:
    """The message without line breaks."""
    return " ".join(str(message).split())


def show(text: str) -> None:
    """Print lines on standard output. Characters that its encoding lacks, such as a Windows code page, are escaped.

    Raises:
        OutputError: the disk that it goes to is full.
    """
    with writing("standard output"):
        try:
            print(text)
        except UnicodeEncodeError as error:
            print(text.encode(error.encoding, "backslashreplace").decode(error.encoding))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Format the rows of a table as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def flush_output() -> None:
    """Flush what was printed.

    Raises:
        OutputError: as `show`.
    """
    if sys.stdout is not None:
        with writing("standard output"):
            sys.stdout.flush()


def drop_full_output() -> None:
    """Drop standard output after it failed: Python would try to write again at exit, and print an error."""
    try:
        flush_output()
    except OutputError:
        drop_output()


def standard_output() -> IO[bytes]:
    """Standard output, for bytes.

    Raises:
        OutputError: it is closed.
    """
    if sys.stdout is None:
        raise OutputError("standard output: is closed")
    return sys.stdout.buffer


def drop_output() -> None:
    """Drop standard output when nobody reads it: Python's flush at exit would print an error, or wait for ever."""
    with suppress(OSError, AttributeError):  # already closed, or not a file of the operating system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
