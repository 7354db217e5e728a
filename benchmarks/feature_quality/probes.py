"""Linear probes: what a linear classifier finds in static vectors about the speaker, with standard errors over speakers."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.sources.recordings import CLASSES, Recording

Labels = NDArray[np.int8]
Floats = NDArray[np.float64]
Metric = Callable[[NDArray[np.integer]], Floats]
"""From confusion matrices (..., classes, classes), rows true and columns predicted, to a score for each, (...)."""

_DRAWS = 2000
Vectors = NDArray[np.float32]
"""(recordings, dimensions)"""

FOLDS = 4
"""The number of parts into which the speakers of a fit are divided to choose C."""
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Candidates for C, the inverse strength of the penalty."""


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


@dataclass(frozen=True)
class Task:
    """A question about recordings."""

    name: str
    answers: tuple[int, ...]
    """Classes of `CLASSES` as classes of this task; -1 where a class is not part of the task."""
    metric_name: str
    metric: Metric

    def labels(self, recordings: Sequence[Recording]) -> Labels:
        """The class of each recording, -1 where it is not part of the task: (recordings,)."""
        return np.array([self.answers[recording.label] for recording in recordings], np.int8)


_CHILD, _MAN, _WOMAN = (CLASSES.index(name) for name in ("child", "man", "woman"))


def _answers(child: int, man: int, woman: int) -> tuple[int, ...]:
    by_class = {_CHILD: child, _MAN: man, _WOMAN: woman}
    return tuple(by_class[place] for place in range(len(CLASSES)))


TASKS = (
    Task("child or adult", _answers(0, 1, 1), "UAR", uar),
    Task("child, man or woman", _answers(0, 1, 2), "macro-F1", macro_f1),
    Task("gender of adults", _answers(-1, 0, 1), "UAR", uar),
)


def predict(features: Vectors, labels: Labels, speakers: Sequence[str], asked: Vectors, metric: Metric) -> Labels:
    """Predicted class of each recording asked about, by a probe fitted on others: (recordings asked about,).

    Args:
        features: of the recordings that the probe is fitted on, (recordings, dimensions).
        labels: their classes, (recordings,).
        speakers: of each of them.
        asked: features of the recordings asked about, (recordings asked about, dimensions).
        metric: C is the one with the best score by it, in a cross-validation over the speakers of the fit.
    """
    strength = _choose(features, labels, np.array(speakers), metric)
    return predict_each(features, labels, asked, (strength,))[0]


def _choose(features: Vectors, labels: Labels, groups: NDArray[np.str_], metric: Metric) -> float:
    """The C with the best score over all parts together; the smallest of equal ones."""
    predictions = np.empty((len(STRENGTHS), len(labels)), np.int8)
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for train, test in parts.split(features, labels, groups):
        predictions[:, test] = predict_each(features[train], labels[train], features[test], STRENGTHS)
    together, classes = np.zeros(len(labels), np.int64), int(labels.max()) + 1
    return STRENGTHS[int(np.argmax([metric(confusions(labels, row, together, classes))[0] for row in predictions]))]


def predict_each(train: Vectors, labels: Labels, test: Vectors, strengths: Sequence[float]) -> NDArray[np.int8]:
    """Predictions for each C: (strengths, test recordings). Each fit starts from the previous one."""
    centre, spread = train.mean(axis=0), train.std(axis=0)
    used = spread > 1e-6 * np.abs(centre)  # float32: less is rounding
    seen, asked = ((rows[:, used] - centre[used]) / spread[used] for rows in (train, test))
    probe = LogisticRegression(class_weight="balanced", warm_start=True, max_iter=300, tol=1e-3)
    predictions = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the weakest penalties need not converge to be compared
        for strength in strengths:
            probe.set_params(C=strength).fit(seen, labels)
            predictions.append(probe.predict(asked))
    return np.array(predictions, np.int8)


class Probes:
    """Predictions of all tasks, stored in a folder.

    Args:
        fitted: the recordings that probes are fitted on.
        tested: the recordings that they are asked about; by none of those speakers.
        cache: a folder.

    Raises:
        ValueError: a speaker is among both.
    """

    def __init__(self, fitted: Sequence[Recording], tested: Sequence[Recording], cache: Path) -> None:
        self.fitted, self.tested, self._cache = fitted, tested, cache
        both = {recording.speaker for recording in fitted} & {recording.speaker for recording in tested}
        if both:
            raise ValueError(
                f"speaker {min(both)} is among those that probes are fitted on and those that they are tested on"
            )

    def run(self, features: Vectors, asked: Vectors, task: Task) -> Labels:
        """Predicted class of each tested recording that the task asks about.

        Args:
            features: of all recordings of the fit, (recordings, dimensions).
            asked: of all tested recordings, (recordings, dimensions).
            task: the question.
        """
        kept = self._cache / f"{self._key(features, asked, task)}.npy"
        if not kept.is_file():
            labels, tested = task.labels(self.fitted), task.labels(self.tested)
            speakers = [recording.speaker for recording, label in zip(self.fitted, labels, strict=True) if label >= 0]
            rows, questions = features[labels >= 0].astype(np.float32), asked[tested >= 0].astype(np.float32)
            self._cache.mkdir(parents=True, exist_ok=True)
            np.save(kept, predict(rows, labels[labels >= 0], speakers, questions, task.metric))
        predictions: Labels = np.load(kept)
        return predictions

    def _key(self, features: Vectors, asked: Vectors, task: Task) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(features).tobytes())
        digest.update(np.ascontiguousarray(asked).tobytes())
        settings = (task.name, task.answers, FOLDS, STRENGTHS, sklearn.__version__, self.fitted, self.tested)
        digest.update(repr(settings).encode())
        return digest.hexdigest()[:24]
