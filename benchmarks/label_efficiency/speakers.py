"""Classifies recordings of children, men and women with few labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.label_efficiency.trials import FeatureSet, Items
from benchmarks.sources.handmade import HandMade
from benchmarks.sources.recordings import ADULT, CLASSES, Recording, read_recordings
from benchmarks.sources.vectors import Progress, Source, vectors_by_folder
from edgevoice_export.data.corpus import split_speakers

TEST_SPEAKERS, LABELLED_SPEAKERS = 40, 25
VALIDATION, SEED = 0.1, 0  # `edgevoice-export train`'s defaults: whom the models trained on the whole corpus have not heard

_METHOD = """\
- Recordings in three classes: child (below {adult} years), man, woman. Parts share no speaker: {parts}. The test
  recordings are a folder of their own: nothing was trained on them or chosen by them.
- A share of the labelled recordings is drawn at random from each class, another for each seed; a smaller share lies
  within a larger one.
- Every recording is one item, whatever its length: those shorter than a model's window are filled up with zeros.
- Hand-made: pyAudioAnalysis's 136 mid-term features (1 s, of 50 ms), averaged over the recording, at the recording's
  own rate; openSMILE's functionals of eGeMAPSv02 (88) and ComParE_2016 (6373). Functionals of a model: mean, standard
  deviation, skewness and kurtosis of each descriptor. Codes: the bottleneck, averaged over the windows. PCA: principal
  components of the spectrograms of the unlabelled recordings, used as a code.
- Classifiers have scikit-learn's defaults. They see each feature with mean 0 and variance 1 over the labelled
  recordings, which the hand-made ones need most: unscaled, they are of very different sizes.
- What the autoencoders were trained on, without labels: {trained}. So they have heard most of the labelled speakers,
  though not what class they are of, and none of the test speakers."""


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


def division(folder: Path) -> Division:
    """The parts of the corpus that is learnt from, the same each time.

    Its own test part is not used where there is a folder of speakers that no network heard; it is kept apart still, for
    lamprou-64 was trained on the unlabelled part that remains.
    """
    recordings = read_recordings(folder)
    names = tuple(recording.speaker for recording in recordings)
    held_out = {names[place] for place in split_speakers(names, VALIDATION, SEED)[1]}
    return divide(recordings, TEST_SPEAKERS, LABELLED_SPEAKERS, sorted(held_out))


def speakers(
    folder: Path, unheard: Path, sources: Sequence[Source], cache: Path, progress: Callable[[str], Progress]
) -> tuple[FeatureSet, ...]:
    """Hand-made features, and others: labelled recordings of one folder, test recordings of another.

    Args:
        folder: of the recordings that are learnt from, with `utterances.csv`.
        unheard: of the test recordings, likewise.
        sources: what to compare the hand-made features with.
        cache: folder to keep vectors in.
        progress: from a name to what wraps the files while their vectors are made.
    """

    def items(source: Source, folder: Path, recordings: Sequence[Recording]) -> Items:
        files = [recording.file for recording in recordings]
        made = vectors_by_folder(source, folder, files, cache, progress(source.name))
        return Items(made, np.array([recording.label for recording in recordings], np.int8))

    labelled, test = division(folder).labelled, read_recordings(unheard)
    return tuple(
        FeatureSet(source.name, items(source, folder, labelled), items(source, unheard, test))
        for source in (HandMade(), *sources)
    )


def method(folder: Path, unheard: Path, sources: Sequence[Source]) -> str:
    """Markdown for the page: data and split."""
    parts = division(folder)
    described = {"labelled": parts.labelled, "unlabelled": parts.unlabelled, "test": read_recordings(unheard)}
    return _METHOD.format(
        adult=ADULT,
        parts="; ".join(_describe(name, recordings) for name, recordings in described.items()),
        trained="; ".join(dict.fromkeys(source.origin for source in sources if source.origin)),
    )


def _describe(name: str, recordings: Sequence[Recording]) -> str:
    voices = len({recording.speaker for recording in recordings})
    counts = Counter(CLASSES[recording.label] for recording in recordings)
    return f"{name} {len(recordings)} of {voices} speakers ({' / '.join(f'{counts[name]} {name}' for name in CLASSES)})"
