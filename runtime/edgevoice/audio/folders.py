"""Audio files below a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from edgevoice.errors import AudioFileNotFoundError, AudioFormatError

_ALIASES = {".aif", ".aifc", ".mp2", ".oga", ".opus", ".snd", ".sph", ".wave"}
"""Suffixes of formats that soundfile lists under another name."""
_MEDIA = {
    *(".3g2", ".3gp", ".aac", ".ac3", ".amr", ".ape", ".asf", ".avi", ".awb", ".dts", ".eac3", ".flv", ".m4a", ".m4b"),
    *(".m4v", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".mpeg", ".mpg", ".ra", ".rm", ".spx", ".tta", ".vob", ".weba"),
    *(".webm", ".wma", ".wv"),
}
"""Suffixes of files that PyAV reads. They are searched for where PyAV is missing too, so that no file is skipped
silently.
"""


class Found(NamedTuple):
    """The content of a folder."""

    files: list[Path]
    """Audio files, sorted."""
    others: int
    """The number of files whose suffix is not that of audio; hidden files are not counted."""
    errors: tuple[tuple[Path, AudioFormatError], ...] = ()
    """Folders below it that cannot be listed."""


def audio_suffixes() -> set[str]:
    """Suffixes, in lower case, of files whose header states rate and encoding."""
    import soundfile

    return {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"} | _ALIASES | _MEDIA


def find_audio(folder: Path) -> Found:
    """Find the audio files in a folder and its subfolders, by their suffixes.

    What is hidden, its name beginning with a dot, is passed over: so are the `._` files that macOS leaves beside others. A
    broken link is included, so that opening it reports an error.

    Raises:
        AudioFileNotFoundError: there is none.
        AudioFormatError: the folder cannot be listed.
    """
    suffixes = audio_suffixes()
    files, others = [], 0
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise AudioFormatError(f"{folder}: cannot be listed ({(error.strerror or str(error)).lower()})") from error
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() in suffixes and (path.is_file() or (path.is_symlink() and not path.exists())):
                files.append(path)
            else:
                others += 1
    if not files:
        raise AudioFileNotFoundError(f"{folder}: no audio file in this folder or below it")
    return Found(sorted(files), others)
