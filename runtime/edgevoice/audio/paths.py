"""Questions about paths that users give: names that the system refuses to look up are names of nothing."""

from __future__ import annotations

from pathlib import Path


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
