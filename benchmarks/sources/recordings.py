"""Recordings of a folder, with who speaks in each."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

CLASSES = ("child", "man", "woman")
ADULT = 16  # years
TABLE = "utterances.csv"


@dataclass(frozen=True)
class Recording:
    """One row of `utterances.csv`."""

    file: str
    """Relative to the folder."""
    speaker: str
    label: int
    """Index into `CLASSES`."""


def read_recordings(folder: Path) -> list[Recording]:
    """The recordings of `utterances.csv`, with the columns file, speaker, gender (m, f) and age in years."""
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        return [Recording(row["file"], row["speaker"], _label(row)) for row in csv.DictReader(file)]


def _label(row: dict[str, str]) -> int:
    if int(row["age"]) < ADULT:
        return CLASSES.index("child")
    return CLASSES.index("man" if row["gender"] == "m" else "woman")
