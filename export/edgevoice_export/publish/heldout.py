"""How well networks reconstruct speech that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevoice.inference import Networks
from edgevoice_export.data.sampler import Draw, WindowSampler
from edgevoice_export.publish.graphs import Graphs

_BATCH = 16


@dataclass(frozen=True)
class HeldOut:
    """Mean squared error of standardised spectrograms at one level."""

    windows: int
    by_band: NDArray[np.float64]
    """(bands,)"""

    @property
    def mean(self) -> float:
        """Over all bands."""
        return float(self.by_band.mean())


def measure(networks: Networks | Graphs, windows: WindowSampler, draw: Draw) -> HeldOut:
    """The error over the windows of a draw, computed as the runtime computes them."""
    total: NDArray[np.float64] | None = None
    for first in range(0, len(draw), _BATCH):
        spectrograms = windows.spectrograms(draw[first : first + _BATCH])
        errors = networks.error(networks.encode(spectrograms), spectrograms).sum(axis=0, dtype=np.float64)
        total = errors if total is None else total + errors
    if total is None:
        raise ValueError("a draw of no windows has no error")
    return HeldOut(len(draw), total / len(draw))
