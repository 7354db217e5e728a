"""Audio files below a folder."""

from __future__ import annotations

from pathlib import Path

from edgevoice.errors import AudioFileNotFoundError

_ALIASES = {".aif", ".aifc", ".oga", ".opus", ".snd", ".wave"}
"""Suffixes of formats that soundfile lists under another name."""


def audio_suffixes() -> set[str]:
    """Suffixes, in lower case, of the files that soundfile reads without being told rate and encoding."""
    import soundfile

    return {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"} | _ALIASES


def find_audio(folder: Path) -> list[Path]:
    """Audio files in a folder and the folders below it, sorted; known by their suffix.

    Raises:
        AudioFileNotFoundError: there is none.
    """
    suffixes = audio_suffixes()
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    if not found:
        raise AudioFileNotFoundError(f"{folder}: no audio file in this folder or below it")
    return found
