"""Divides a corpus into labelled, unlabelled and test recordings."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.sources.recordings import CLASSES, Recording


@dataclass(frozen=True)
class Division:
    """The recordings of a corpus, in parts that share no speaker."""

    labelled: tuple[Recording, ...]
    test: tuple[Recording, ...]
    unlabelled: tuple[Recording, ...]


def divide(recordings: Sequence[Recording], test: int, labelled: int, first: Sequence[str], seed: int = 0) -> Division:
    """Divide the recordings by speakers, at random, with equal proportions of each class.

    Args:
        recordings: all of them.
        test: how many speakers to test on.
        labelled: how many speakers have labels.
        first: speakers that are tested on before any other is.
        seed: of the random choice.
    """
    labels = {recording.speaker: recording.label for recording in recordings}
    random = np.random.default_rng(seed)
    parts: dict[str, str] = {}
    for label in range(len(CLASSES)):
        speakers = [speaker for speaker in sorted(labels) if labels[speaker] == label]
        wanted = [speaker for speaker in speakers if speaker in first]
        rest = [speaker for speaker in random.permutation(speakers).tolist() if speaker not in first]
        for_test, for_labels = (round(count * len(speakers) / len(labels)) for count in (test, labelled))
        for place, speaker in enumerate(wanted + rest):
            parts[speaker] = "test" if place < for_test else "labelled" if place < for_test + for_labels else "unlabelled"
    chosen = {
        part: tuple(recording for recording in recordings if parts[recording.speaker] == part)
        for part in ("labelled", "test", "unlabelled")
    }
    return Division(**chosen)


def write_table(recordings: Sequence[Recording], path: Path) -> None:
    """Write a CSV with the columns file and speaker, as `edgevoice-export train --table` takes it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "speaker"])
        rows.writerows([recording.file, recording.speaker] for recording in recordings)
