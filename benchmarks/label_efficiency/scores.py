"""Scores of predictions, and their curves over the share of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
Metric = Callable[[Labels, Labels], float]
"""(truth, predictions) -> score."""


def weighted_f1(truth: Labels, predictions: Labels) -> float:
    """Mean of the classes' F1, each weighted by how often the class is true: scikit-learn's weighted `f1_score`."""
    return float(np.sum(_class_f1(truth, predictions) * _shares(truth)))


METRICS: dict[str, Metric] = {"weighted F1": weighted_f1}


def _shares(labels: Labels) -> Floats:
    return np.bincount(labels, minlength=_most) / len(labels)


def _class_f1(truth: Labels, predictions: Labels) -> Floats:
    hits = np.bincount(truth[truth == predictions], minlength=_most)
    total = np.bincount(truth, minlength=_most) + np.bincount(predictions, minlength=_most)
    return np.asarray(2 * hits / np.maximum(total, 1))


_most = 10  # classes: one digit each in the log


@dataclass(frozen=True)
class Curve:
    """Scores over the share of labels."""

    percents: tuple[int, ...]
    scores: Floats
    """(seeds, percents)"""

    @property
    def mean(self) -> Floats:
        """Mean over the seeds: (percents,)."""
        return np.asarray(self.scores.mean(axis=0))

    @property
    def band(self) -> Floats:
        """Half the width of the 95 % confidence interval of the mean, Student's t over the seeds: (percents,)."""
        seeds = len(self.scores)
        if seeds == 1:
            return np.zeros(len(self.percents))
        return np.asarray(stats.t.ppf(0.975, seeds - 1) * self.scores.std(axis=0, ddof=1) / np.sqrt(seeds))

    def ahead(self, other: Curve) -> list[int]:
        """Percents at which the mean is above that of another curve."""
        return [percent for percent, a, b in zip(self.percents, self.mean, other.mean, strict=True) if a > b]


def spans(percents: Sequence[int], step: int) -> str:
    """Percents as text, with neighbours as ranges: `10-30, 34 %`."""
    runs: list[list[int]] = []
    for percent in percents:
        if runs and percent - runs[-1][-1] == step:
            runs[-1].append(percent)
        else:
            runs.append([percent])
    words = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    return f"{', '.join(words)} %" if words else "nowhere"


def chance(truth: Labels, metric: Metric, draws: int = 1000) -> tuple[float, float, float]:
    """Score of guessing every class as often: mean, and the 2.5th and 97.5th of 100 over so many test runs."""
    random = np.random.default_rng(0)
    classes = np.unique(truth)
    scores = [metric(truth, random.choice(classes, len(truth))) for _ in range(draws)]
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(np.mean(scores)), float(low), float(high)
