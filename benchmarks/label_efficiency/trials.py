"""The fits of an experiment: computed one by one, stored at once, and resumed after an interruption."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from benchmarks.label_efficiency.featuresets import FeatureSet

Predictions = NDArray[np.int8]

CLASSIFIERS: dict[str, Callable[[int, int], Any]] = {
    # (items to train with, seed) -> classifier
    "random forest": lambda _, seed: RandomForestClassifier(random_state=seed),
    "SVM": lambda _, seed: SVC(random_state=seed),
    "kNN": lambda items, _: KNeighborsClassifier(n_neighbors=min(5, items)),  # 5 is the default
    "decision tree": lambda _, seed: DecisionTreeClassifier(random_state=seed),
    "AdaBoost": lambda _, seed: AdaBoostClassifier(random_state=seed),
}


def classifier(name: str, items: int, seed: int, standardise: bool) -> Any:
    """Make a classifier for a number of items."""
    estimator = CLASSIFIERS[name](items, seed)
    return make_pipeline(StandardScaler(), estimator) if standardise else estimator


def random_of_class(labels: NDArray[np.int8], percent: int, seed: int) -> NDArray[np.int64]:
    """Sorted indices of a share of each class, at least one. For one seed, a larger share contains the smaller ones."""
    random = np.random.default_rng(seed)
    classes = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return np.sort(np.concatenate([members[: max(1, len(members) * percent // 100)] for members in classes]))


@dataclass(frozen=True)
class Trial:
    """One fit of one classifier."""

    features: str
    classifier: str
    percent: int
    seed: int


def grid(
    features: Iterable[str],
    classifiers: Iterable[str],
    percents: Iterable[int],
    seeds: Iterable[int],
) -> list[Trial]:
    """Every combination, one classifier after another, so that an interrupted run leaves whole curves."""
    return [
        Trial(name, kind, percent, seed) for kind, seed, name, percent in product(classifiers, seeds, features, percents)
    ]


class TrialLog:
    """Predictions of the trials made so far, one JSON line each; classes are written as digits.

    Each line has a key of what it was made from, so that trials of changed features are made anew, the others kept.
    """

    def __init__(self, path: Path, sets: Sequence[FeatureSet], standardise: bool) -> None:
        """Open or create a log."""
        self.path = path
        self._done: dict[Trial, Predictions] = {}
        made_with = f"{standardise} {sklearn.__version__}"
        self._keys = {
            features.name: hashlib.sha256(f"{features.digest()} {made_with}".encode()).hexdigest()[:16] for features in sets
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # a run killed while it wrote leaves half a line
        path.write_text("".join(whole), encoding="utf-8")
        for line in whole:
            row = json.loads(line)
            predictions = np.frombuffer(row.pop("predictions").encode(), np.int8) - ord("0")
            if row.pop("key") == self._keys.get(row["features"]):
                self._done[Trial(**row)] = predictions

    def __contains__(self, trial: Trial) -> bool:
        return trial in self._done

    def __getitem__(self, trial: Trial) -> Predictions:
        """Predicted class of each test item."""
        return self._done[trial]

    def add(self, trial: Trial, predictions: Predictions) -> None:
        """Store a trial."""
        digits = (predictions + ord("0")).astype(np.uint8).tobytes().decode("ascii")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": self._keys[trial.features]} | asdict(trial) | {"predictions": digits}) + "\n")
        self._done[trial] = predictions


def run(
    trials: Sequence[Trial],
    sets: Sequence[FeatureSet],
    log: TrialLog,
    standardise: bool,
    progress: Callable[[Sequence[Trial]], Iterable[Trial]] = iter,
) -> None:
    """Compute the trials that are not in the log."""
    by_name = {features.name: features for features in sets}
    for trial in progress([trial for trial in trials if trial not in log]):
        features = by_name[trial.features]
        labelled = random_of_class(features.training.recording_labels(), trial.percent, trial.seed)
        items = features.training.of(labelled)
        fitted = classifier(trial.classifier, len(items), trial.seed, standardise).fit(items.features, items.labels)
        log.add(trial, fitted.predict(features.test.features).astype(np.int8))
