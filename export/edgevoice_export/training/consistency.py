"""Consistency: the code of a window should not depend on the line that the voice came through.

A training batch has some windows twice, once changed (see `changes`) and once as they were, and the distance between the
two codes is added to the reconstruction error, with a weight. After M. Sajjadi et al., "Regularization with stochastic
transformations and perturbations for deep semi-supervised learning", NeurIPS 2016.

It takes no extra time, because twins replace other windows, which the network then does not see. It can cost information:
codes that are consistent under noise keep everything that probes find in them; codes that are consistent under every change
lose some of it (figures are on the card of `cae-256`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgevoice_export.data.changes import CHANGES
from edgevoice_export.data.sampler import Draw

Pairs = NDArray[np.int64] | Tensor
"""Rows of a batch with two windows that belong together: (pairs, 2)."""

_STILL = 1e-6
"""Added to divisors and below square roots, for numbers that do not vary and for twins that are equal."""


def with_twins(draw: Draw, under: Collection[str] = CHANGES) -> tuple[Draw, NDArray[np.int64]]:
    """Replace unchanged windows of a batch by unchanged twins of windows with certain changes.

    Returns:
        the draw, and the places of changed windows and of their twins, (pairs, 2).
    """
    changed = np.flatnonzero([change is not None and change.kind in under for change in draw.changes])
    others = np.flatnonzero([change is None for change in draw.changes])
    pairs = np.stack([changed[: len(others)], others[: len(changed)]], axis=1)
    source = np.arange(len(draw))
    source[pairs[:, 1]] = pairs[:, 0]
    twins = dataclasses.replace(
        draw,
        recordings=draw.recordings[source],
        starts=draw.starts[source],
        levels=tuple(draw.levels[place] for place in source.tolist()),
        gains=draw.gains[source],
    )
    return twins, pairs


def code_distance(bottleneck: Tensor, pairs: Pairs) -> Tensor:
    """Mean distance between the codes of pairs, from a bottleneck (n, units), as rms over its numbers; 0 without pairs.

    Each number's variance over all n counts as 1. Distances are not squared: a change that moves the code far, as a narrow
    band does, pulls no harder than one that hardly does.
    """
    if not len(pairs):
        return bottleneck.new_zeros(())
    squared = (bottleneck[pairs[:, 0]] - bottleneck[pairs[:, 1]]).square()
    # The variance is part of the gradient, so that a smaller code is not closer.
    variance = bottleneck.var(dim=0, correction=0)
    relative = squared / (variance + _STILL * variance.mean())
    return (relative.mean(dim=1) + _STILL).sqrt().mean()
