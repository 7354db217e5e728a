"""Recordings of a folder, and the methods to turn each into a vector, that the feature benchmarks share."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, Protocol
from unittest import mock

import numpy as np
import soundfile
from numpy.typing import NDArray

import edgevoice
from edgevoice.compat.disvoice import RepLearning
from edgevoice.modelfolder import ModelFolder, find_model

Vector = NDArray[np.float32]
Progress = Callable[[Sequence[str]], Iterable[str]]

CLASSES = ("child", "man", "woman")
ADULT = 16  # years
TABLE = "utterances.csv"


class Recording(NamedTuple):
    """One row of `utterances.csv`."""

    file: str
    """Relative to the folder."""
    speaker: str
    label: int
    """Index into `CLASSES`."""


def read_recordings(folder: Path) -> list[Recording]:
    """The recordings of `utterances.csv`, with the columns file, speaker, gender (m, f) and age in years."""

    def label(row: dict[str, str]) -> int:
        return CLASSES.index("child" if int(row["age"]) < ADULT else "man" if row["gender"] == "m" else "woman")

    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        return [Recording(row["file"], row["speaker"], label(row)) for row in csv.DictReader(file)]


class Source(Protocol):
    """A method to turn a recording into a vector."""

    name: str
    key: str
    """What the vectors depend on."""

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (dimensions,)."""


class HandMade:
    """The 136 mid-term features of pyAudioAnalysis, averaged over the recording.

    Means and standard deviations, over 1 s, of 68 short-term features of 50 ms: 34 and their differences. Windows do not
    overlap.
    """

    name = "pyAudioAnalysis"

    def __init__(self) -> None:
        self.key = f"pyAudioAnalysis {version('pyAudioAnalysis')}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (136,)."""
        from pyAudioAnalysis import MidTermFeatures

        samples, rate = soundfile.read(path, dtype="int16")
        with mock.patch.object(np, "int", int, create=True):  # gone from NumPy 1.24 on, but still used there
            middle, _, _ = MidTermFeatures.mid_feature_extraction(samples, rate, rate, rate, 0.05 * rate, 0.05 * rate)
        return np.asarray(middle.mean(axis=1), np.float32)


class OpenSmile:
    """Functionals of openSMILE.

    88 of eGeMAPSv02 (F. Eyben et al., IEEE Trans. Affective Computing 7(2), 2016), or 6373 of ComParE_2016 (B. Schuller et
    al., Interspeech 2016).
    """

    def __init__(self, name: str) -> None:
        import opensmile

        self.name, self.key = name, f"{name} opensmile {version('opensmile')}"
        self._smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (functionals,)."""
        return self._smile.process_file(str(path)).to_numpy(np.float32)[0]


class Functionals:
    """Mean, standard deviation, skewness and kurtosis of each descriptor of a model, found by name or path."""

    def __init__(self, model: str) -> None:
        folder = find_model(model)
        self.name, self.key = folder.config.name, f"functionals {' '.join(sorted(folder.config.files.values()))}"
        self._extractor = None if folder.config.batch_statistics else edgevoice.load(folder)
        if self._extractor is None:  # only DisVoice's own way can use it
            with mock.patch.dict(os.environ, EDGEVOICE_MODELS=str(folder.path.parent)):
                self._published = RepLearning("CAE")

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (4 x descriptors,)."""
        if self._extractor is None:
            return np.asarray(self._published.extract_features_file(path)[0])
        return self._extractor.extract(path, pad=True).functionals()


class MeanCode:
    """A model's bottleneck, averaged over the windows of a recording."""

    def __init__(self, model: str) -> None:
        folder = find_model(model)
        self.name, self.key = folder.config.name, f"mean code {' '.join(sorted(folder.config.files.values()))}"
        self._extractor = edgevoice.load(folder, descriptors="bottleneck")

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (units,)."""
        return np.asarray(self._extractor.extract(path, pad=True).values.mean(axis=0))


def published_folders(source: Path, folder: Path) -> list[ModelFolder]:
    """Model folders of DisVoice's published networks; where these use the statistics of the batch, with running ones too.

    Args:
        source: DisVoice's wheel or folder.
        folder: where they are made, anew each time into the same bytes: vectors made with them are found again.
    """
    from edgevoice_export.publish.disvoice import find_published, import_published

    chosen = [published for published in find_published(source) if published.name.startswith("256_")]
    return [model for published in chosen for model, _ in import_published(published, folder)]


def vectors_by_folder(source: Source, folder: Path, files: Sequence[str], cache: Path, progress: Progress = iter) -> Vector:
    """Vectors of some recordings of a folder: (files, dimensions).

    They are kept in a cache folder, subfolder by subfolder, so that a run that was stopped loses little.

    Args:
        source: how vectors are made.
        folder: of the recordings.
        files: paths in it, the files of one subfolder beside each other.
        cache: folder to keep vectors in.
        progress: wraps the list of subfolders while their vectors are made.

    Raises:
        ValueError: a vector has NaN or infinity.
    """
    groups: dict[str, list[str]] = {}
    for file in files:
        groups.setdefault(Path(file).parent.as_posix(), []).append(file)
    made = []
    for name in progress(list(groups)):
        kept = cache / f"{hashlib.sha256(repr((source.key, folder, groups[name])).encode()).hexdigest()[:24]}.npy"
        if not kept.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            np.save(kept, np.stack([source(folder / file) for file in groups[name]]))
        made.append(np.load(kept))
    rows = np.concatenate(made)
    if not np.isfinite(rows).all():
        raise ValueError(f"{source.name}: NaN or infinity in the vectors of {folder}")
    return rows
