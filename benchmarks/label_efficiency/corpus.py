"""Recordings of a folder, and which of them are for testing, labelled or unlabelled."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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


@dataclass(frozen=True)
class Division:
    """The recordings of a corpus, in parts that share no speaker."""

    labelled: tuple[Recording, ...]
    test: tuple[Recording, ...]
    unlabelled: tuple[Recording, ...]
    unheard: tuple[int, ...]
    """Indices of the test recordings whose speakers no autoencoder was trained on."""


def read_recordings(folder: Path) -> list[Recording]:
    """The recordings of `utterances.csv`, with the columns file, speaker, gender (m, f) and age in years."""
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        return [Recording(row["file"], row["speaker"], _label(row)) for row in csv.DictReader(file)]


def divide(recordings: Sequence[Recording], test: int, labelled: int, unheard: Sequence[str], seed: int = 0) -> Division:
    """Divide by speakers, at random, each class in proportion.

    Args:
        recordings: all of them.
        test: how many speakers to test on.
        labelled: how many speakers have labels.
        unheard: speakers that are to be tested on, because trained models have not heard them.
        seed: of the random choice.
    """
    labels = {recording.speaker: recording.label for recording in recordings}
    random = np.random.default_rng(seed)
    parts: dict[str, str] = {}
    for label in range(len(CLASSES)):
        speakers = [speaker for speaker in sorted(labels) if labels[speaker] == label]
        first = [speaker for speaker in speakers if speaker in unheard]
        rest = [speaker for speaker in random.permutation(speakers).tolist() if speaker not in unheard]
        for_test, for_labels = (round(count * len(speakers) / len(labels)) for count in (test, labelled))
        for place, speaker in enumerate(first + rest):
            parts[speaker] = "test" if place < for_test else "labelled" if place < for_test + for_labels else "unlabelled"
    chosen = {
        part: tuple(recording for recording in recordings if parts[recording.speaker] == part)
        for part in ("labelled", "test", "unlabelled")
    }
    indices = tuple(place for place, recording in enumerate(chosen["test"]) if recording.speaker in unheard)
    return Division(**chosen, unheard=indices)


def write_table(recordings: Sequence[Recording], path: Path) -> None:
    """Write a CSV with the columns file and speaker, as `edgevoice-export train --table` takes it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "speaker"])
        rows.writerows([recording.file, recording.speaker] for recording in recordings)


def _label(row: dict[str, str]) -> int:
    if int(row["age"]) < ADULT:
        return CLASSES.index("child")
    return CLASSES.index("man" if row["gender"] == "m" else "woman")
