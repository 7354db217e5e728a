"""The linear code: principal components of spectrograms, with which autoencoders of the same size are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.sources.vectors import Vector
from edgevoice.audio.files import open_source
from edgevoice.audio.resampling import resampled
from edgevoice.config import ModelConfig
from edgevoice.features import functionals
from edgevoice.frontend import FrontEnd
from edgevoice.levels import find_level
from edgevoice.windows import Windower, Windows

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LinearCode:
    """Mean and orthonormal components of spectrograms."""

    shape: tuple[int, int]
    """(bands, columns)"""
    mean: Floats
    """(bands x columns,)"""
    components: Floats
    """Components (units, bands x columns), the strongest first."""

    @property
    def units(self) -> int:
        """The size of a code."""
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
        """The code with the strongest components only."""
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


class Spectrograms:
    """The spectrograms that a model gets at the level `running`."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self._front = FrontEnd(config.spectrogram, config.audio)

    def __call__(self, path: Path) -> Floats:
        """Standardised spectrograms of all windows of a recording: (n, 1, bands, columns)."""
        audio = self.config.audio
        with open_source(path) as source:
            samples = np.concatenate([np.empty(0, np.float32), *resampled(source, audio.rate, None)])
        samples = np.pad(samples, (0, max(0, audio.window - len(samples))))
        windower = Windower(self.config, find_level("running", self.config.level), audio.hop, 8)
        scratch, found = self._front.scratch(), []

        def put(windows: Windows) -> None:
            found.append(self._front.compute(windows.samples, windows.facts["offset"], windows.facts["gain"], scratch))

        windower.push(samples, put)
        return np.concatenate(found)[:, None]

    def sampled(self, paths: Iterable[Path], most: int) -> Floats:
        """Windows of many recordings, evenly spaced, up to a number: (n, 1, bands, columns)."""
        all_windows = np.concatenate([self(path) for path in paths])
        return all_windows[np.linspace(0, len(all_windows) - 1, min(most, len(all_windows))).astype(np.int64)]


class LinearFunctionals:
    """A linear code, used like an autoencoder: functionals of its numbers and of its reconstruction error by band."""

    origin = ""

    def __init__(self, code: LinearCode, config: ModelConfig) -> None:
        self._code, self._spectrograms = code, Spectrograms(config)
        self.name = f"PCA-{code.units}"
        self.key = f"linear functionals, the code first {code.digest()} {config.level} {config.audio}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording, (4 x (units + bands),): functionals of the code, then of the errors, as of models."""
        values = self._code.describe(self._spectrograms(path))
        return np.concatenate([functionals(part) for part in np.split(values, [self._code.units], axis=1)])


class MeanLinearCode(LinearFunctionals):
    """A linear code, averaged over the windows of a recording."""

    def __init__(self, code: LinearCode, config: ModelConfig) -> None:
        super().__init__(code, config)
        self.name, self.key = f"{self.name} (codes)", f"mean linear code {code.digest()} {config.level} {config.audio}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (units,)."""
        return np.asarray(self._code.describe(self._spectrograms(path))[:, : self._code.units].mean(axis=0))
