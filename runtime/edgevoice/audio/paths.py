"""Checks of paths: a name that the operating system rejects is the name of no file."""

from __future__ import annotations

import os
from pathlib import Path

from edgevoice.errors import AudioFileNotFoundError


def is_file(path: Path) -> bool:
    """Whether the path is a file; False where the name is too long, or a folder on the way may not be entered."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether the path is a folder; False in the same cases as for `is_file`."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def absolute(path: str | os.PathLike[str]) -> str:
    """The absolute path, with symbolic links kept.

    Raises:
        AudioFileNotFoundError: it is relative to a current folder that was deleted.
    """
    try:
        return os.path.abspath(path)  # noqa: PTH100 - Path resolves links
    except FileNotFoundError as error:
        raise AudioFileNotFoundError(f"{path}: no such file (the current folder was deleted)") from error
