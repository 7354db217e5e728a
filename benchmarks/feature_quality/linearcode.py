"""The linear code: principal components of spectrograms, the yardstick of every autoencoder of its size."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LinearCode:
    """Mean and orthonormal components of spectrograms."""

    shape: tuple[int, int]
    """(bands, columns)"""
    mean: Floats
    """(bands x columns,)"""
    components: Floats
    """(units, bands x columns), the strongest first."""

    @property
    def units(self) -> int:
        """Numbers of a code."""
        return len(self.components)

    @classmethod
    def fit(cls, spectrograms: Floats, units: int, seed: int = 0) -> LinearCode:
        """Fit to spectrograms (n, 1, bands, columns), which are overwritten; by randomised subspace iteration."""
        from sklearn.decomposition import PCA

        rows = spectrograms.reshape(len(spectrograms), -1)
        # In place: a second copy of the spectrograms would be another gigabyte.
        pca = PCA(units, copy=False, svd_solver="randomized", iterated_power=4, random_state=seed).fit(rows)
        shape = spectrograms.shape[2], spectrograms.shape[3]
        return cls(shape, pca.mean_.astype(np.float32), pca.components_.astype(np.float32))

    def of(self, units: int) -> LinearCode:
        """The code of the strongest components alone."""
        return LinearCode(self.shape, self.mean, self.components[:units])

    def describe(self, spectrograms: Floats) -> Floats:
        """Code, and mean squared error of each band: (n, units + bands), of spectrograms (n, 1, bands, columns)."""
        rows = spectrograms.reshape(len(spectrograms), -1) - self.mean
        code = rows @ self.components.T
        rest = (rows - code @ self.components).reshape(-1, *self.shape)
        return np.concatenate([code, np.square(rest).mean(axis=2)], axis=1)

    def digest(self) -> str:
        """SHA-256 over all numbers."""
        return hashlib.sha256(self.mean.tobytes() + np.ascontiguousarray(self.components).tobytes()).hexdigest()

    def save(self, path: Path) -> None:
        """Write to a file."""
        np.savez(path, shape=self.shape, mean=self.mean, components=self.components)

    @classmethod
    def load(cls, path: Path) -> LinearCode:
        """Read from a file."""
        with np.load(path) as arrays:
            bands, columns = arrays["shape"].tolist()
            return cls((bands, columns), arrays["mean"], arrays["components"])
