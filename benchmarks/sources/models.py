"""Learned features of recordings, from model folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

import edgevoice
from benchmarks.sources.vectors import Vector
from edgevoice.compat.disvoice import RepLearning
from edgevoice.modelfolder import ModelFolder, find_model


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


def _origin(folder: ModelFolder) -> str:
    """The data of a model, as its `model.json` describes it."""
    config, trained = folder.config, folder.config.origin.get("trained_on", {})
    held_out = config.origin.get("held_out", {}).get("speakers", 0)
    text = f"{trained['utterances']} recordings of {trained['speakers']} speakers" if "speakers" in trained else "other data"
    return f"{config.name} on {text}" + (f", of whom {held_out} to validate on" if held_out else "")


def _files(folder: ModelFolder) -> str:
    return " ".join(sorted(folder.config.files.values()))


MODEL_SOURCES: dict[str, Callable[[str], Functionals | MeanCode]] = {"functionals": Functionals, "codes": MeanCode}
"""The features of a model, by name."""

PUBLISHED = ("256_CAE.pt", "256_RAE.pt")


def published_folders(source: Path, folder: Path) -> list[ModelFolder]:
    """Model folders of DisVoice's published networks; where these use the statistics of the batch, with running ones too.

    Args:
        source: DisVoice's wheel or folder.
        folder: where they are made, anew each time into the same bytes: vectors made with them are found again.
    """
    from edgevoice_export.publish.disvoice import find_published, import_published

    chosen = [published for published in find_published(source) if published.name in PUBLISHED]
    return [model for published in chosen for model, _ in import_published(published, folder)]
