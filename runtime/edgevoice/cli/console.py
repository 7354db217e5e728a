"""Standard output and standard error."""

from __future__ import annotations

import sys
from typing import IO

from edgevoice.errors import OutputError


def tell(message: object) -> None:
    """Say something on stderr, in one line."""
    print("edgevoice:", " ".join(str(message).split()), file=sys.stderr)


def standard_output() -> IO[bytes]:
    """Standard output, for bytes.

    Raises:
        OutputError: it is closed.
    """
    if sys.stdout is None:
        raise OutputError("standard output: is closed")
    return sys.stdout.buffer
