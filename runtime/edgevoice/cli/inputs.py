"""Audio named on the command line: files, folders, and what their outputs are called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.audio.folders import find_audio
from edgevoice.audio.paths import absolute, is_folder
from edgevoice.errors import AudioError, AudioFileNotFoundError


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files to be read, in order, none of them twice, and why a folder could not be used."""

    files: list[Path]
    places: list[Path]
    """Relative path of each, without its suffix unless that is needed to tell it from another: no two are equal.

    A file that was named has its name, one found in a folder its path below the folder. Where two would be equal, all have
    their path below the deepest folder that holds all inputs.
    """
    errors: list[AudioError]

    @classmethod
    def find(cls, names: Sequence[str]) -> Inputs:
        """Files as they are named; folders replaced by the audio files below them, sorted."""
        files: dict[str, Path] = {}
        below: list[Path] = []
        errors: list[AudioError] = []
        for name in names:
            path = Path(name)
            try:
                if not name:
                    raise AudioFileNotFoundError("'': no such file or folder")  # Path takes it for the current folder
                found = find_audio(path).files if is_folder(path) else [path]
                named = [(absolute(file), file) for file in found]
            except AudioError as error:
                errors.append(error)
                continue
            for place, file in named:
                if place not in files:
                    files[place] = file
                    below.append(file.relative_to(path if is_folder(path) else path.parent))
        return cls(list(files.values()), _places(list(files), below), errors)


def _places(absolute: list[str], below: list[Path]) -> list[Path]:
    places = [path.with_suffix("") for path in below]
    if _apart(places):
        return places
    common = Path(os.path.commonpath([Path(path).parent for path in absolute]))
    paths = [Path(path).relative_to(common) for path in absolute]
    places = [path.with_suffix("") for path in paths]
    return places if _apart(places) else paths


def _apart(places: list[Path]) -> bool:
    """Whether no two are equal, nor would be on a disk that does not tell `a` from `A`, as those of macOS and Windows."""
    return len({str(place).casefold() for place in places}) == len(places)
