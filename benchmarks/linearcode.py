"""The linear code: principal components of spectrograms, with which autoencoders of the same size are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.sources import Vector
from edgevoice.audio.files import open_source, resampled
from edgevoice.config import ModelConfig
from edgevoice.features import functionals
from edgevoice.frontend import FrontEnd
from edgevoice.levels import find_level

Floats = NDArray[np.float32]


class Spectrograms:
    """The spectrograms that a model gets at a level."""

    def __init__(self, config: ModelConfig, level: str = "running") -> None:
        self.config, self.level = config, level
        self._front = FrontEnd(config.spectrogram, config.audio)

    def __call__(self, path: Path) -> Floats:
        """Standardised spectrograms of all windows of a recording: (n, 1, bands, columns)."""
        audio = self.config.audio
        with open_source(path) as source:
            samples = np.concatenate([np.empty(0, np.float32), *resampled(source, audio.rate, None)])
        samples = np.pad(samples, (0, max(0, audio.window - len(samples))))
        windows = np.lib.stride_tricks.sliding_window_view(samples, audio.window)[:: audio.hop]
        at = find_level(self.level, self.config.level).track(samples)
        offset, gain = np.transpose(
            [at(start, start + audio.window) for start in range(0, len(windows) * audio.hop, audio.hop)]
        )
        return self._front.compute(windows, offset, gain)[:, None]

    def sampled(self, paths: Sequence[Path], most: int) -> Floats:
        """So many windows, as many of each recording, evenly spaced in it: (n, 1, bands, columns)."""
        share, found = max(1, most // len(paths)), []
        for path in paths:
            windows = self(path)
            found.append(windows[np.linspace(0, len(windows) - 1, min(share, len(windows))).astype(np.int64)])
        return np.concatenate(found)


@dataclass(frozen=True)
class LinearCode:
    """Mean and orthonormal components of spectrograms."""

    mean: Floats
    """(bands, columns)"""
    components: Floats
    """Components (units, bands x columns), the strongest first."""

    @property
    def units(self) -> int:
        """The size of a code."""
        return len(self.components)

    @classmethod
    def fit(cls, spectrograms: Floats, units: int) -> LinearCode:
        """Fit to spectrograms (n, 1, bands, columns), which are overwritten; by randomised subspace iteration."""
        from sklearn.decomposition import PCA

        rows = spectrograms.reshape(len(spectrograms), -1)
        # In place: a second copy of the spectrograms would be another gigabyte.
        pca = PCA(units, copy=False, svd_solver="randomized", iterated_power=4, random_state=0).fit(rows)
        return cls(pca.mean_.astype(np.float32).reshape(spectrograms.shape[2:]), pca.components_.astype(np.float32))

    def of(self, units: int) -> LinearCode:
        """The code with the strongest components only."""
        return LinearCode(self.mean, self.components[:units])

    def describe(self, spectrograms: Floats) -> Floats:
        """Code, and mean squared error of each band: (n, units + bands), of spectrograms (n, 1, bands, columns)."""
        rows = (spectrograms[:, 0] - self.mean).reshape(len(spectrograms), -1)
        code = rows @ self.components.T
        rest = (rows - code @ self.components).reshape(-1, *self.mean.shape)
        return np.concatenate([code, np.square(rest).mean(axis=2)], axis=1)

    def digest(self) -> str:
        """SHA-256 over all numbers."""
        return hashlib.sha256(self.mean.tobytes() + np.ascontiguousarray(self.components).tobytes()).hexdigest()


class LinearFunctionals:
    """A linear code, used like an autoencoder: functionals of its numbers and of its reconstruction error by band."""

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
        self.key = f"mean linear code {code.digest()} {config.level} {config.audio}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (units,)."""
        return np.asarray(self._code.describe(self._spectrograms(path))[:, : self._code.units].mean(axis=0))
