"""Audio named on the command line: files, folders, and what they are called in tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.audio.folders import find_audio
from edgevoice.audio.paths import absolute, is_folder
from edgevoice.errors import ArgumentError, AudioError, AudioFileNotFoundError


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files to be read, in order, none of them twice, and why a folder could not be used."""

    files: list[Path]
    names: list[str]
    """What each is called in a table: its path below the root, with `/`, or as it was given where it is not below it.

    The root is the one that was asked for; else, for what was found in a folder, that folder, and for a file that was named,
    the current folder. So neither depends on the other inputs.
    """
    outside: frozenset[str]
    """Those names that are not below the root."""
    errors: list[AudioError]
    others: int
    """Files of the folders that are not audio by their suffix, and are not read."""

    @classmethod
    def find(cls, given: Sequence[str], root: str | None = None) -> Inputs:
        """Files as they are named; folders replaced by the audio files below them, sorted.

        Raises:
            ArgumentError: the root is no folder.
        """
        if root is not None and not is_folder(Path(root)):
            raise ArgumentError(f"--root {root}: is no folder")
        files: dict[str, Path] = {}
        names: list[str] = []
        errors: list[AudioError] = []
        others = 0
        outside: set[str] = set()
        for name in given:
            path = Path(name)
            try:
                if not name:
                    raise AudioFileNotFoundError("'': no such file or folder")  # Path takes it for the current folder
                found, home = [path], root or ""
                if is_folder(path):
                    listed = find_audio(path)
                    found, home = listed.files, root or name
                    others += listed.others
                named = [(absolute(file), file) for file in found]
            except AudioError as error:
                errors.append(error)
                continue
            for place, file in named:
                if place not in files:
                    files[place] = file
                    below = _below(place, home)
                    names.append(below or str(file))
                    outside |= set() if below else {str(file)}
        return cls(list(files.values()), names, frozenset(outside), errors, others)

    def tables(self) -> dict[str, Path]:
        """The path below the root, without suffix, that each input's own table has: by name.

        Raises:
            ArgumentError: an input is not below its root, or two would have the same table.
        """
        places: dict[str, str] = {}  # by what they are on a disk that does not tell `a` from `A`, as macOS's and Windows'
        for name in self.names:
            if name in self.outside:
                raise ArgumentError(
                    f"{name}: is not below the root, so that its table has no place: name another (--root DIR)"
                )
            place = str(Path(name).with_suffix("")).casefold()
            if place in places:
                raise ArgumentError(
                    f"{places[place]} and {name} would have the same table: name a folder that holds both (--root DIR), or "
                    "give them other names"
                )
            places[place] = name
        return {name: Path(name).with_suffix("") for name in places.values()}


def _below(place: str, root: str) -> str | None:
    """An absolute path, relative to a root; None where it is not below it."""
    try:
        home = absolute(Path(root or "."))
    except AudioFileNotFoundError:
        return None
    # A text with the separator at its end; Windows takes C: and c: for one.
    if not os.path.normcase(place).startswith(os.path.normcase(os.path.join(home, ""))):  # noqa: PTH118
        return None
    return Path(os.path.relpath(place, home)).as_posix()
