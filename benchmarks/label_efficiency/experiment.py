"""An experiment: feature sets to compare, ways to look at them, and the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.label_efficiency.featuresets import FeatureSet
from benchmarks.label_efficiency.scores import METRICS, Curve, chance
from benchmarks.label_efficiency.trials import Trial, TrialLog


@dataclass(frozen=True)
class View:
    """A score of predictions, and its title."""

    name: str
    metric: str


@dataclass(frozen=True)
class Experiment:
    """The feature sets and views that are compared."""

    name: str
    """The start of the file names of the results."""
    title: str
    sets: tuple[FeatureSet, ...]
    """The feature sets; the first one, hand-made, is what the others are compared with."""
    views: tuple[View, ...]
    """The views; the first one decides."""
    standardise: bool
    """Whether classifiers see each feature with mean 0 and variance 1 over the labelled items."""
    method: str
    """Markdown for the page: data, split, what is absent."""
    conclude: Callable[[Results], str]
    """Markdown for the page, from the results."""

    best_up_to: int = 100
    """The best classifier of a feature set has the highest mean score over the shares up to this percent."""


@dataclass(frozen=True)
class Results:
    """An experiment with its results."""

    experiment: Experiment
    classifiers: tuple[str, ...]
    percents: tuple[int, ...]
    seeds: tuple[int, ...]
    log: TrialLog

    def curves(self, view: View, kind: str) -> Mapping[str, Curve]:
        """The curve of each feature set with one kind of classifier."""
        return {features.name: self._curve(view, kind, features) for features in self.experiment.sets}

    def best(self, name: str) -> str:
        """The best classifier for a feature set, in the first view."""
        shares = np.array(self.percents) <= max(self.experiment.best_up_to, self.percents[0])
        curves = {kind: self.curves(self.experiment.views[0], kind)[name] for kind in self.classifiers}
        return max(curves, key=lambda kind: float(curves[kind].mean[shares].mean()))

    def chance(self, view: View, features: FeatureSet) -> tuple[float, float, float]:
        """The score of guessing, and the range of 95 % of guesses."""
        return chance(features.test.labels, METRICS[view.metric])

    def _curve(self, view: View, kind: str, features: FeatureSet) -> Curve:
        truth, metric = features.test.labels, METRICS[view.metric]

        def score(percent: int, seed: int) -> float:
            return metric(truth, self.log[Trial(features.name, kind, percent, seed)])

        return Curve(self.percents, np.array([[score(percent, seed) for percent in self.percents] for seed in self.seeds]))
