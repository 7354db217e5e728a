"""Renames a draft to its final place."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

WINDOWS = os.name == "nt"
_PATIENCE = 2.0
"""How long another program may keep a file open, in seconds. Virus scanners and indexers open new files briefly."""
_PAUSE = 0.05


def rename_over(draft: Path, place: Path) -> None:
    """Rename a file over another, or a folder to a name that does not exist.

    Elsewhere that is one call. Windows refuses it while any program has one of the files open: it is tried again for a
    while there.

    Raises:
        OSError: it cannot be renamed; the draft is where it was.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            draft.replace(place)
        except PermissionError as error:
            if not WINDOWS:
                raise
            if time.monotonic() >= deadline:
                reason = "no rights to write there, or another program has it open"
                raise PermissionError(errno.EACCES, reason, str(place)) from error
            time.sleep(_PAUSE)
        else:
            return
