"""Classifiers on growing shares of the labels: fitted one by one, stored at once, and resumed after an interruption."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
_MOST = 10  # classes: one digit each in the log

CLASSIFIERS: dict[str, Callable[[int, int], Any]] = {
    # (recordings to train with, seed) -> classifier
    "random forest": lambda _, seed: RandomForestClassifier(random_state=seed),
    "SVM": lambda _, seed: SVC(random_state=seed),
    "kNN": lambda count, _: KNeighborsClassifier(n_neighbors=min(5, count)),  # 5 is the default
    "decision tree": lambda _, seed: DecisionTreeClassifier(random_state=seed),
    "AdaBoost": lambda _, seed: AdaBoostClassifier(random_state=seed),
}


class Items(NamedTuple):
    """Recordings as vectors, with their labels."""

    features: NDArray[np.float32]
    """(recordings, dimensions)"""
    labels: Labels
    """The class of each, 0 and up: (recordings,)."""


class FeatureSet(NamedTuple):
    """One method to turn recordings into numbers, applied to those to train with and those to test on."""

    name: str
    training: Items
    test: Items

    def digest(self) -> str:
        """SHA-256 over all numbers."""
        arrays = (*self.training, *self.test)
        return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


class Trial(NamedTuple):
    """One fit of one classifier."""

    features: str
    classifier: str
    percent: int
    seed: int


class TrialLog:
    """Predictions of the trials made so far, one JSON line each; classes are written as digits.

    Each line has a key of what it was made from, so that trials of changed features are made anew, the others kept.
    """

    def __init__(self, path: Path, sets: Sequence[FeatureSet]) -> None:
        """Open or create a log."""
        self.path = path
        self.done: dict[Trial, Labels] = {}
        """The predicted class of each test recording."""
        self._keys = {
            features.name: hashlib.sha256(f"{features.digest()} {sklearn.__version__}".encode()).hexdigest()[:16]
            for features in sets
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # a run killed while it wrote leaves half a line
        path.write_text("".join(whole), encoding="utf-8")
        for line in whole:
            row = json.loads(line)
            predictions = np.frombuffer(row.pop("predictions").encode(), np.int8) - ord("0")
            if row.pop("key") == self._keys.get(row["features"]):
                self.done[Trial(**row)] = predictions

    def add(self, trial: Trial, predictions: Labels) -> None:
        """Store a trial."""
        digits = (predictions + ord("0")).astype(np.uint8).tobytes().decode("ascii")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": self._keys[trial.features], **trial._asdict(), "predictions": digits}) + "\n")
        self.done[trial] = predictions


def random_of_class(labels: Labels, percent: int, seed: int) -> NDArray[np.int64]:
    """Sorted indices of a share of each class, at least one. For one seed, a larger share contains the smaller ones."""
    random = np.random.default_rng(seed)
    classes = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return np.sort(np.concatenate([members[: max(1, len(members) * percent // 100)] for members in classes]))


def weighted_f1(truth: Labels, predictions: Labels) -> float:
    """Mean of the classes' F1, each weighted by how often the class is true: scikit-learn's weighted `f1_score`."""
    hits, true, said = (np.bincount(each, minlength=_MOST) for each in (truth[truth == predictions], truth, predictions))
    return float(np.sum(2 * hits / np.maximum(true + said, 1) * (true / len(truth))))


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

    def ahead(self, other: Floats) -> list[int]:
        """Percents at which the mean is above another one, (percents,)."""
        return [percent for percent, a, b in zip(self.percents, self.mean, other, strict=True) if a > b]

    def at(self, percent: int) -> float:
        """The mean at a percent."""
        return float(self.mean[self.percents.index(percent)])


@dataclass(frozen=True)
class Trials:
    """Every combination of feature sets, classifiers, shares and seeds."""

    sets: tuple[FeatureSet, ...]
    """The first one, hand-made, is what the others are compared with."""
    classifiers: tuple[str, ...]
    percents: tuple[int, ...]
    seeds: tuple[int, ...]
    log: TrialLog

    def run(self, progress: Callable[[Sequence[Trial]], Iterable[Trial]] = iter) -> None:
        """Compute what is not in the log, one classifier after another: an interrupted run leaves whole curves.

        Classifiers see each feature with mean 0 and variance 1 over the labelled recordings.
        """
        by_name = {features.name: features for features in self.sets}
        combinations = product(self.classifiers, self.seeds, by_name, self.percents)
        trials = [Trial(name, kind, percent, seed) for kind, seed, name, percent in combinations]
        for trial in progress([trial for trial in trials if trial not in self.log.done]):
            training, test = by_name[trial.features][1:]
            chosen = random_of_class(training.labels, trial.percent, trial.seed)
            estimator = make_pipeline(StandardScaler(), CLASSIFIERS[trial.classifier](len(chosen), trial.seed))
            fitted = estimator.fit(training.features[chosen], training.labels[chosen])
            self.log.add(trial, fitted.predict(test.features).astype(np.int8))

    def curves(self, kind: str) -> Mapping[str, Curve]:
        """The curve of each feature set with one kind of classifier."""
        return {features.name: self._curve(kind, features) for features in self.sets}

    def best(self, name: str, most: int) -> str:
        """The classifier with the highest mean score for a feature set, over the shares up to so many percent."""
        shares = np.array(self.percents) <= max(most, self.percents[0])
        curves = {kind: self.curves(kind)[name] for kind in self.classifiers}
        return max(curves, key=lambda kind: float(curves[kind].mean[shares].mean()))

    def chance(self, features: FeatureSet, draws: int = 1000) -> tuple[float, float, float]:
        """Score of guessing every class as often: mean, and the 2.5th and 97.5th of 100 over so many test runs."""
        random, truth = np.random.default_rng(0), features.test.labels
        classes = np.unique(truth)
        scores = [weighted_f1(truth, random.choice(classes, len(truth))) for _ in range(draws)]
        low, high = np.percentile(scores, [2.5, 97.5])
        return float(np.mean(scores)), float(low), float(high)

    def _curve(self, kind: str, features: FeatureSet) -> Curve:
        def score(percent: int, seed: int) -> float:
            return weighted_f1(features.test.labels, self.log.done[Trial(features.name, kind, percent, seed)])

        return Curve(self.percents, np.array([[score(percent, seed) for percent in self.percents] for seed in self.seeds]))
