"""How far static vectors move when the sound changes but the speech does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

MIDDLE = (5, 95)
"""Percentiles outside of which values are clipped."""


@dataclass(frozen=True)
class Movement:
    """Relative change of the standardised vector over some recordings."""

    mean: float
    error: float
    """Standard error of the mean over the recordings, which have different speakers."""


def movement(clean: Floats, changed: Floats, centre: Floats, spread: Floats) -> Movement:
    """How far vectors move: the mean over recordings of |z' - z| / |z|, z being standardised.

    Args:
        clean: (recordings, dimensions).
        changed: the same recordings' vectors after the change.
        centre: mean of each dimension over the corpus, (dimensions,).
        spread: standard deviation of each dimension over the corpus; dimensions without any are left out.
    """
    used = spread > 0
    still, moved = ((vectors[:, used] - centre[used]) / spread[used] for vectors in (clean, changed))
    change = np.linalg.norm(moved - still, axis=1) / np.linalg.norm(still, axis=1)
    return Movement(float(change.mean()), float(change.std(ddof=1) / np.sqrt(len(change))))


def movements(corpus: Floats, clean: Floats, changed: Mapping[str, Floats], *, clipped: bool = False) -> dict[str, Movement]:
    """The movement under each change; dimensions are standardised over the corpus (recordings, dimensions).

    Where it is clipped, values outside the `MIDDLE` of their dimension count as its ends: a few recordings whose values lie
    far out then do not make every other difference look small.
    """
    rows = corpus.astype(np.float64)
    if clipped:
        rows = np.clip(rows, *np.percentile(rows, MIDDLE, axis=0))
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    return {name: movement(clean, vectors, centre, spread) for name, vectors in changed.items()}


def one_each(speakers: Sequence[str], most: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw two different recordings of each of some speakers: their indices, (chosen,) each."""
    random = np.random.default_rng(seed)
    names = np.array(speakers)
    several = [name for name in sorted(set(speakers)) if (names == name).sum() > 1]
    chosen = sorted(random.choice(several, min(most, len(several)), replace=False).tolist())
    pairs = [random.choice(np.flatnonzero(names == name), 2, replace=False) for name in chosen]
    first, second = np.array(pairs, np.int64).T
    return first, second
