"""Chooses which recordings have labels when only a share of them does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Subset = Callable[[NDArray[np.int8], int, int], NDArray[np.int64]]
"""From the labels of the recordings, a percentage and a seed to the indices of labelled ones."""


def first_of_class(labels: NDArray[np.int8], percent: int, seed: int) -> NDArray[np.int64]:  # noqa: ARG001
    """The first recordings of each class in stored order: the same for every seed, and few speakers when sorted by name."""
    return _take([np.flatnonzero(labels == label) for label in np.unique(labels)], percent)


def random_of_class(labels: NDArray[np.int8], percent: int, seed: int) -> NDArray[np.int64]:
    """Random recordings of each class. For one seed, a larger share contains the smaller ones."""
    random = np.random.default_rng(seed)
    return _take([random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)], percent)


def _take(classes: list[NDArray[np.int64]], percent: int) -> NDArray[np.int64]:
    """The first percentage of each class, at least one recording, sorted."""
    return np.sort(np.concatenate([members[: max(1, len(members) * percent // 100)] for members in classes]))


SUBSETS: dict[str, Subset] = {"random": random_of_class, "first": first_of_class}
