"""The classifiers, with scikit-learn's defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

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
