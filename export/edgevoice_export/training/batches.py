"""The batches of a training run; the next batch is made in the background."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgevoice_export.data.sampler import WindowSampler
from edgevoice_export.training.consistency import Pairs, with_twins
from edgevoice_export.training.settings import Settings, listed


class Batch(NamedTuple):
    """The input of one step."""

    spectrograms: Tensor
    """(n, 1, bands, columns)"""
    twins: Pairs
    """Rows of changed windows and of their twins, (pairs, 2)."""
    partners: Pairs
    """Rows of pairs of windows of one recording, (pairs, 2)."""


def batches(windows: WindowSampler, levels: tuple[str, ...], settings: Settings, first: int) -> Iterator[Batch]:
    """The batches from step `first` to the last one; each depends on the seed and the number of the step only."""

    def make(step: int) -> Batch:
        random = np.random.default_rng([settings.seed, 2, step])
        draw = windows.draw(settings.batch, levels, settings.jitter_db, random, settings.augment, listed(settings.changes))
        twins: NDArray[np.int64] = np.empty((0, 2), np.int64)
        partners = twins
        if settings.contrast:
            draw, partners = windows.with_partners(draw, random)
        if settings.consistency:
            draw, twins = with_twins(draw, listed(settings.consistent_under))
            partners = partners[~np.isin(partners, twins[:, 1]).any(axis=1)]
        return Batch(torch.from_numpy(windows.spectrograms(draw)), twins, partners)

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(make, first)
        for later in range(first + 1, settings.steps + 1):
            batch = ahead.result()
            ahead = pool.submit(make, later)
            yield batch
