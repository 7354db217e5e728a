"""Ways to turn a recording into a vector."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import numpy as np
import soundfile
from numpy.typing import NDArray

import edgevoice
from edgevoice.compat.disvoice import RepLearning
from edgevoice.modelfolder import ModelFolder, find_model

Vector = NDArray[np.float32]
Progress = Callable[[Sequence[str]], Iterable[str]]


class HandMade:
    """The 136 mid-term features of pyAudioAnalysis, averaged over the recording.

    Means and standard deviations, over 1 s, of 68 short-term features of 50 ms: 34 and their differences. Windows do not
    overlap.
    """

    name = "hand-made (pyAudioAnalysis)"
    origin = ""

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        return f"pyAudioAnalysis {version('pyAudioAnalysis')}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (136,)."""
        from pyAudioAnalysis import MidTermFeatures

        samples, rate = soundfile.read(path, dtype="int16")
        with mock.patch.object(np, "int", int, create=True):  # gone from NumPy 1.24 on, but still used there
            middle, _, _ = MidTermFeatures.mid_feature_extraction(samples, rate, rate, rate, 0.05 * rate, 0.05 * rate)
        return np.asarray(middle.mean(axis=1), np.float32)


class Functionals:
    """Mean, standard deviation, skewness and kurtosis of each descriptor of a model."""

    def __init__(self, model: str) -> None:
        folder = find_model(model)
        self.name = f"{folder.config.name} (functionals)"
        self.origin = _origin(folder)
        self.key = f"functionals {_files(folder)}"
        """What the vectors depend on."""
        self._compute = _replearning(folder) if folder.config.batch_statistics else _functionals(folder)

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (4 x descriptors,)."""
        return self._compute(path)


def _functionals(folder: ModelFolder) -> Callable[[Path], Vector]:
    extractor = edgevoice.load(folder)
    return lambda path: extractor.extract(path, pad=True).functionals()


def _replearning(folder: ModelFolder) -> Callable[[Path], Vector]:
    """DisVoice's own way, for the model that only it can use."""
    with mock.patch.dict(os.environ, EDGEVOICE_MODELS=str(folder.path.parent)):
        published = RepLearning("CAE")
    return lambda path: np.asarray(published.extract_features_file(path)[0])


class MeanCode:
    """A model's bottleneck, averaged over the windows of a recording."""

    def __init__(self, model: str) -> None:
        self._extractor = edgevoice.load(model, descriptors="bottleneck")
        self.name = f"{self._extractor.config.name} (codes)"
        self.origin = _origin(self._extractor.folder)

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        return f"mean code {_files(self._extractor.folder)}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (units,)."""
        return np.asarray(self._extractor.extract(path, pad=True).values.mean(axis=0))


class Table:
    """Vectors that were made elsewhere: a CSV with a header, the path of a recording and then its numbers in each row."""

    def __init__(self, name: str, path: Path, folder: Path) -> None:
        self.name, self._folder = name, folder
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))[1:]
        self._rows = {row[0]: np.array(row[1:], np.float32) for row in rows}
        self.key = self.origin = ""  # read anew each time

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording."""
        return self._rows[path.relative_to(self._folder).as_posix()]


Source = HandMade | Functionals | MeanCode | Table

MODEL_SOURCES: dict[str, Callable[[str], Functionals | MeanCode]] = {"functionals": Functionals, "codes": MeanCode}


def vectors(source: Source, folder: Path, files: Sequence[str], cache: Path, progress: Progress = iter) -> Vector:
    """Vectors of some recordings of a folder: (files, dimensions); kept in a cache folder."""
    if not source.key:
        return np.stack([source(folder / name) for name in progress(files)])
    key = repr((source.key, folder, files)).encode()
    kept = cache / f"{hashlib.sha256(key).hexdigest()[:24]}.npy"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(kept, np.stack([source(folder / name) for name in progress(files)]))
    made: Vector = np.load(kept)
    return made


def _origin(folder: ModelFolder) -> str:
    """What a model was trained on, as its `model.json` tells."""
    config, trained = folder.config, folder.config.origin.get("trained_on", {})
    held_out = config.origin.get("held_out", {}).get("speakers", 0)
    told = f"{trained['utterances']} recordings of {trained['speakers']} speakers" if "speakers" in trained else "other data"
    return f"{config.name} on {told}" + (f", of whom {held_out} to validate on" if held_out else "")


def _files(folder: ModelFolder) -> str:
    return " ".join(sorted(folder.config.files.values()))
