"""Questions about paths that users give: names that the system refuses to look up are names of nothing."""

from __future__ import annotations

import os
from pathlib import Path

from edgevoice.errors import AudioFileNotFoundError


def is_file(path: Path) -> bool:
    """Whether there is a file; not so where the name is too long, or a folder may not be entered."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder; likewise."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def absolute(path: Path) -> str:
    """The path from the root on, links kept.

    Raises:
        AudioFileNotFoundError: it is relative to a current folder that was deleted.
    """
    try:
        return os.path.abspath(path)  # noqa: PTH100 - Path resolves links
    except FileNotFoundError as error:
        raise AudioFileNotFoundError(f"{path}: no such file (the current folder was deleted)") from error
