"""Audio files below a folder, and their paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from edgevoice.audio.reading import reason
from edgevoice.errors import AudioFileNotFoundError, AudioFormatError

is_file, is_folder = os.path.isfile, os.path.isdir
"""False too where a name is too long, or a folder on the way may not be entered, which `Path` raises as errors."""


class Found(NamedTuple):
    """The content of a folder."""

    files: list[Path]  # audio files, sorted
    others: int  # how many files have another suffix; hidden ones are not counted
    errors: tuple[tuple[str, AudioFormatError], ...] = ()  # folders that cannot be listed, and why


def find_audio(folder: Path) -> Found:
    """Find the audio files in a folder and its subfolders, by their suffixes.

    What is hidden, its name beginning with a dot, is passed over: so are the `._` files that macOS leaves beside others. A
    linked folder is searched too, unless it was already. A broken link, and what may not be looked at, is included, so that
    opening it reports an error.
    Where there is no file, it raises why.
    """
    import soundfile

    from edgevoice.audio.families import FAMILIES  # with all that reads files

    # Those of FFmpeg are searched for where PyAV is missing too, so that no file is skipped silently.
    suffixes = {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}
    suffixes.update(*(family.suffixes.split() for family in FAMILIES))
    files: list[Path] = []
    failures: list[OSError] = []
    others, waiting, seen = 0, [os.fspath(folder)], set()
    for start in waiting:  # links are put behind it: a folder is searched at its own place first
        for parent, folders, names in os.walk(start, onerror=failures.append):
            place = os.stat(parent)  # noqa: PTH116
            if (place.st_dev, place.st_ino) in seen:
                folders.clear()
                continue
            seen.add((place.st_dev, place.st_ino))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            waiting += [link for name in folders if os.path.islink(link := os.path.join(parent, name))]  # noqa: PTH114, PTH118
            for path in (Path(parent, name) for name in names if not name.startswith(".")):
                if path.suffix.lower() in suffixes and (is_file(path) or not os.path.exists(path)):  # noqa: PTH110
                    files.append(path)
                else:
                    others += 1
    errors = [(e.filename, AudioFormatError(f"{e.filename}: cannot be listed ({reason(e)})")) for e in failures]
    if not files:
        if errors:
            raise errors[0][1]
        raise AudioFileNotFoundError(f"{folder}: no audio file in this folder or below it")
    return Found(sorted(files), others, tuple(errors))


def absolute(path: str | os.PathLike[str]) -> str:
    """The absolute path, with symbolic links kept; an AudioFileNotFoundError where the current folder was deleted."""
    try:
        return os.path.abspath(path)  # noqa: PTH100 - Path resolves links
    except FileNotFoundError as error:
        raise AudioFileNotFoundError(f"{path}: no such file (the current folder was deleted)") from error
