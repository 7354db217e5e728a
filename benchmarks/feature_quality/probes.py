"""Linear probes: what a linear classifier finds in static vectors about the speaker, with standard errors over speakers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.sources import Recording

Labels = NDArray[np.int8]
Floats = NDArray[np.float64]
Metric = Callable[[NDArray[np.integer]], Floats]
"""From confusion matrices (..., classes, classes), rows true and columns predicted, to a score for each, (...)."""
Vectors = NDArray[np.float32]
"""(recordings, dimensions)"""

DRAWS = 2000
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
    """Confusion matrices of groups, counted from 0: (groups, classes, classes); all else is (items,)."""
    places = (groups.astype(np.int64) * classes + truth) * classes + predictions
    count = int(groups.max()) + 1
    return np.bincount(places, minlength=count * classes**2).reshape(count, classes, classes)


class Score(NamedTuple):
    """A score with its uncertainty."""

    mean: float
    error: float
    """Standard error over speakers: the deviation of the score when speakers are drawn anew with replacement."""
    draws: Floats
    """The score at each drawing of speakers, the same drawings for every feature set: (drawings,)."""

    def ahead(self, other: Score) -> tuple[float, float]:
        """The difference from another score on the same recordings, and the standard error of that."""
        return self.mean - other.mean, float((self.draws - other.draws).std(ddof=1))


def score(truth: Labels, predictions: Labels, speakers: Sequence[str], metric: Metric) -> Score:
    """Score predictions (items,), with standard errors over the speakers."""
    _, groups = np.unique(np.array(speakers), return_inverse=True)
    tables = confusions(truth, predictions, groups, int(truth.max()) + 1)
    count = len(tables)
    times = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=DRAWS)  # (draws, speakers)
    drawn = metric(np.einsum("ds,sij->dij", times, tables))
    return Score(float(metric(tables.sum(axis=0))), float(drawn.std(ddof=1)), drawn)


class Task(NamedTuple):
    """A question about recordings."""

    name: str
    answers: tuple[int, int, int]
    """A child, a man and a woman as classes of this task; -1 where a class is not part of the task."""
    metric_name: str
    metric: Metric

    def labels(self, recordings: Sequence[Recording]) -> Labels:
        """The class of each recording, -1 where it is not part of the task: (recordings,)."""
        return np.array([self.answers[recording.label] for recording in recordings], np.int8)

    def chance(self, recordings: Sequence[Recording]) -> tuple[float, float]:
        """The score of random guessing with equal probabilities, and its standard deviation."""
        labels = self.labels(recordings)
        truth, random = labels[labels >= 0], np.random.default_rng(0)
        classes, nobody = int(truth.max()) + 1, np.zeros(len(truth), np.int64)
        guesses = (random.integers(classes, size=len(truth)).astype(np.int8) for _ in range(DRAWS))
        scores = [self.metric(confusions(truth, guess, nobody, classes))[0] for guess in guesses]
        return float(np.mean(scores)), float(np.std(scores, ddof=1))


TASKS = (
    Task("child or adult", (0, 1, 1), "UAR", uar),
    Task("child, man or woman", (0, 1, 2), "macro-F1", macro_f1),
    Task("gender of adults", (-1, 0, 1), "UAR", uar),
)


def judge(
    task: Task, fitted: Sequence[Recording], features: Vectors, tested: Sequence[Recording], asked: Vectors
) -> tuple[Labels, Score]:
    """Predict the classes of recordings by a probe that is fitted on those of other speakers.

    C is the one with the task's best score over all parts of a cross-validation over the speakers of the fit; the smallest
    of equal ones.

    Args:
        task: the question.
        fitted: the recordings that the probe is fitted on.
        features: of these, (recordings, dimensions).
        tested: the recordings that it is asked about; by none of those speakers.
        asked: features of these, likewise.

    Returns:
        The predicted class of each recording that the task asks about, and their score.

    Raises:
        ValueError: a speaker is among both.
    """
    if both := {recording.speaker for recording in fitted} & {recording.speaker for recording in tested}:
        raise ValueError(f"speaker {min(both)} is among those that probes are fitted on and those that they are tested on")
    seen, labels, speakers = _of_task(task, fitted, features)
    predicted = np.empty((len(STRENGTHS), len(labels)), np.int8)
    for train, test in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(seen, labels, speakers):
        predicted[:, test] = predict_each(seen[train], labels[train], seen[test], STRENGTHS)
    together, classes = np.zeros(len(labels), np.int64), int(labels.max()) + 1
    scores = [task.metric(confusions(labels, row, together, classes))[0] for row in predicted]
    rows, truth, voices = _of_task(task, tested, asked)
    found = predict_each(seen, labels, rows, (STRENGTHS[int(np.argmax(scores))],))[0]
    return found, score(truth, found, voices, task.metric)


def _of_task(task: Task, recordings: Sequence[Recording], features: Vectors) -> tuple[Vectors, Labels, list[str]]:
    """Features, labels and speakers of the recordings that a task asks about."""
    labels = task.labels(recordings)
    speakers = [recording.speaker for recording, label in zip(recordings, labels, strict=True) if label >= 0]
    return features[labels >= 0].astype(np.float32), labels[labels >= 0], speakers


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
