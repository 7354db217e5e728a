"""Feature sets, on which classifiers are trained and tested."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Items:
    """Feature vectors with their labels."""

    features: NDArray[np.float32]
    """(items, dimensions)"""
    labels: NDArray[np.int8]
    """Class of each item, 0 and up: (items,)."""
    recordings: NDArray[np.int64]
    """The recording of each item, from 0 in stored order: (items,)."""

    def __post_init__(self) -> None:
        if not len(self.features) == len(self.labels) == len(self.recordings) > 0:
            sizes = len(self.features), len(self.labels), len(self.recordings)
            raise ValueError(f"features, labels and recordings: expected as many of each, got {sizes}")
        if not np.isfinite(self.features).all():
            raise ValueError("features: NaN or infinity")

    def __len__(self) -> int:
        return len(self.labels)

    def recording_labels(self) -> NDArray[np.int8]:
        """Class of each recording: (recordings,)."""
        labels = np.full(int(self.recordings.max()) + 1, -1, np.int8)
        labels[self.recordings] = self.labels
        return labels

    def of(self, recordings: NDArray[np.int64]) -> Items:
        """The items of some recordings."""
        kept = np.isin(self.recordings, recordings)
        return Items(self.features[kept], self.labels[kept], self.recordings[kept])


@dataclass(frozen=True)
class FeatureSet:
    """One method to turn recordings into numbers, applied to all of them.

    Sets that are compared share the recordings to train with, and their order; a recording may be one item or several.
    """

    name: str
    training: Items
    test: Items

    def digest(self) -> str:
        """SHA-256 over all numbers."""
        digest = hashlib.sha256()
        for items in (self.training, self.test):
            for array in (items.features, items.labels, items.recordings):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
