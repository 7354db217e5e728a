"""Folders that are made so that something can be written into them."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path


class MadeFolders:
    """A folder that is made if it is missing, with its parents; it remembers which of them were missing.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._made: list[Path] = []
        try:
            self._make(folder)
        except BaseException:
            self.remove()
            raise

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make(folder.parent)
        try:
            folder.mkdir()
        except FileExistsError as error:
            if not folder.is_dir():  # otherwise another process made it
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error
        else:
            self._made.append(folder)

    def remove(self) -> None:
        """Remove the folders that were made, as far as they are empty."""
        for folder in reversed(self._made):
            with suppress(OSError):
                folder.rmdir()
