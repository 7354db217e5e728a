"""Linear probes: what a linear classifier finds in static vectors about the speaker."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.feature_quality.scores import Labels, Metric, confusions, macro_f1, uar
from benchmarks.sources.recordings import CLASSES, Recording

Vectors = NDArray[np.float32]
"""(recordings, dimensions)"""

FOLDS = 4
"""The number of parts into which the speakers of a fit are divided to choose C."""
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Candidates for C, the inverse strength of the penalty."""


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
