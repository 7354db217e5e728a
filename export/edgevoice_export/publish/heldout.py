"""Measures how well networks reconstruct speech with which they were not trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import TypicalConfig
from edgevoice.inference import Networks
from edgevoice_export.data.sampler import Draw, WindowSampler
from edgevoice_export.publish.verify import Graphs

_BATCH = 16


@dataclass(frozen=True)
class HeldOut:
    """Mean squared error of standardised spectrograms at one level."""

    windows: int
    by_band: NDArray[np.float64]
    """The mean squared error of each band, (bands,)."""
    typical: TypicalConfig
    """Mean and spread of the descriptors over these windows."""

    @property
    def mean(self) -> float:
        """The mean over all bands."""
        return float(self.by_band.mean())


@dataclass(frozen=True)
class Unheard:
    """The error on recordings that were used neither for training nor for the choice of an epoch."""

    recordings: int
    speakers: int
    error: HeldOut


def measure(networks: Networks | Graphs, windows: WindowSampler, draw: Draw) -> HeldOut:
    """The error over drawn windows, computed as the runtime computes it."""
    if not len(draw):
        raise ValueError("a draw of no windows has no error")
    rows = []
    for first in range(0, len(draw), _BATCH):
        spectrograms = windows.spectrograms(draw[first : first + _BATCH])
        code = networks.encode(spectrograms)
        rows.append((code, networks.error(code, spectrograms)))
    codes, errors = (np.concatenate(parts).astype(np.float64) for parts in zip(*rows, strict=True))
    descriptors = np.concatenate([codes, errors], axis=1)
    mean, spread = (tuple(float(f"{value:.6g}") for value in values) for values in (descriptors.mean(0), descriptors.std(0)))
    return HeldOut(len(draw), errors.mean(axis=0), TypicalConfig(mean, spread))
