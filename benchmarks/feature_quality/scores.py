"""Scores of predictions, with standard errors over speakers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int8]
Floats = NDArray[np.float64]
Metric = Callable[[NDArray[np.integer]], Floats]
"""From confusion matrices (..., classes, classes), rows true and columns predicted, to a score for each, (...)."""

_DRAWS = 2000


def uar(confusion: NDArray[np.integer]) -> Floats:
    """Unweighted average recall: the mean of the classes' recalls; that of a class that does not occur is 0."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.asarray((hits / np.maximum(confusion.sum(axis=-1), 1)).mean(axis=-1))


def macro_f1(confusion: NDArray[np.integer]) -> Floats:
    """The mean of the classes' F1; that of a class that neither occurs nor is predicted is 0."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    total = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return np.asarray((2 * hits / np.maximum(total, 1)).mean(axis=-1))


def confusions(truth: Labels, predictions: Labels, groups: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Confusion matrices of groups: (groups, classes, classes).

    Args:
        truth: (items,), 0 to classes - 1.
        predictions: (items,)
        groups: of each item, (items,), counted from 0.
        classes: how many there are.
    """
    places = (groups.astype(np.int64) * classes + truth) * classes + predictions
    count = int(groups.max()) + 1
    return np.bincount(places, minlength=count * classes**2).reshape(count, classes, classes)


@dataclass(frozen=True)
class Score:
    """A score with its uncertainty."""

    mean: float
    error: float
    """Standard error over speakers: the deviation of the score when speakers are drawn anew with replacement."""
    draws: Floats
    """The score at each drawing of speakers, the same drawings for every feature set: (drawings,)."""

    def ahead(self, other: Score) -> tuple[float, float]:
        """The difference from another score on the same recordings, and the standard error of that."""
        return self.mean - other.mean, float((self.draws - other.draws).std(ddof=1))


def score(truth: Labels, predictions: Labels, speakers: Sequence[str], metric: Metric, draws: int = _DRAWS) -> Score:
    """Score predictions (items,), with standard errors over the speakers."""
    _, groups = np.unique(np.array(speakers), return_inverse=True)
    classes = int(truth.max()) + 1
    tables = confusions(truth, predictions, groups, classes)
    count = len(tables)
    times = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)  # (draws, speakers)
    drawn = metric(np.einsum("ds,sij->dij", times, tables))
    return Score(float(metric(tables.sum(axis=0))), float(drawn.std(ddof=1)), drawn)


def guessing(truth: Labels, metric: Metric, draws: int = _DRAWS) -> tuple[float, float]:
    """The score of random guessing with equal probabilities, and its standard deviation."""
    random, classes = np.random.default_rng(0), int(truth.max()) + 1
    nobody = np.zeros(len(truth), np.int64)
    scores = [
        metric(confusions(truth, random.integers(classes, size=len(truth)).astype(np.int8), nobody, classes))[0]
        for _ in range(draws)
    ]
    return float(np.mean(scores)), float(np.std(scores, ddof=1))
