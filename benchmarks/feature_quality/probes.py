"""Linear probes: what a straight cut through the static vectors tells about the speaker."""

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
from benchmarks.label_efficiency.corpus import CLASSES, Recording

Vectors = NDArray[np.float32]
"""(recordings, dimensions)"""

FOLDS = 5
"""Parts that the speakers are divided into; each is tested on with a probe fitted on the others."""
INNER_FOLDS = 4
"""Parts that the speakers of a probe are divided into in order to choose C."""
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""C: inverse strengths of the penalty to choose from."""


@dataclass(frozen=True)
class Task:
    """A question about a recording."""

    name: str
    answers: tuple[int, ...]
    """The class that each of `CLASSES` is in; -1: not asked."""
    metric_name: str
    metric: Metric

    def labels(self, recordings: Sequence[Recording]) -> Labels:
        """Class of each recording, -1 where it is not asked: (recordings,)."""
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


def predict(features: Vectors, labels: Labels, speakers: Sequence[str], metric: Metric, seed: int) -> Labels:
    """Predicted class of every recording, by probes that have heard neither it nor its speaker: (recordings,).

    Args:
        features: (recordings, dimensions).
        labels: (recordings,).
        speakers: of each recording.
        metric: C is the one with the best score by it.
        seed: of how the speakers are divided.
    """
    groups = np.array(speakers)
    predictions = np.empty(len(labels), np.int8)
    for train, test in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(features, labels, groups):
        strength = _choose(features[train], labels[train], groups[train], metric, seed)
        predictions[test] = _path(features[train], labels[train], features[test], (strength,))[0]
    return predictions


def _choose(features: Vectors, labels: Labels, groups: NDArray[np.str_], metric: Metric, seed: int) -> float:
    """The C with the best score over all parts together; of equals the smallest."""
    predictions = np.empty((len(STRENGTHS), len(labels)), np.int8)
    parts = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    for train, test in parts.split(features, labels, groups):
        predictions[:, test] = _path(features[train], labels[train], features[test], STRENGTHS)
    together, classes = np.zeros(len(labels), np.int64), int(labels.max()) + 1
    return STRENGTHS[int(np.argmax([metric(confusions(labels, row, together, classes))[0] for row in predictions]))]


def _path(train: Vectors, labels: Labels, test: Vectors, strengths: Sequence[float]) -> NDArray[np.int8]:
    """Predictions at each C, each fit going on from the last: (strengths, test recordings)."""
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
    """Predictions of all tasks and repeats, kept in a cache folder."""

    def __init__(self, recordings: Sequence[Recording], repeats: int, cache: Path) -> None:
        self.recordings, self.repeats, self._cache = recordings, repeats, cache
        self.speakers = [recording.speaker for recording in recordings]

    def run(self, features: NDArray[np.float32], task: Task) -> Labels:
        """Predictions of each repeat: (repeats, recordings asked about)."""
        asked = task.labels(self.recordings) >= 0
        rows, labels = features[asked].astype(np.float32), task.labels(self.recordings)[asked]
        speakers = [name for name, is_asked in zip(self.speakers, asked, strict=True) if is_asked]
        made = []
        for seed in range(self.repeats):
            kept = self._cache / f"{self._key(features, task, seed)}.npy"
            if not kept.is_file():
                self._cache.mkdir(parents=True, exist_ok=True)
                np.save(kept, predict(rows, labels, speakers, task.metric, seed))
            made.append(np.load(kept))
        return np.array(made)

    def _key(self, features: NDArray[np.float32], task: Task, seed: int) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(features).tobytes())
        settings = (task.name, task.answers, seed, FOLDS, INNER_FOLDS, STRENGTHS, sklearn.__version__, self.recordings)
        digest.update(repr(settings).encode())
        return digest.hexdigest()[:24]
