"""Learns from pieces, and scores what is said of groups that were held out, with intervals for as many other groups."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]
Folds = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]

PENALTIES = tuple(10.0**k for k in range(7))
"""What is tried: the strength of the penalty on the sum of squared weights; scikit-learn's `alpha`, and 1 / `C`."""
_MOST_FOLDS = 5
_COLUMNS = 64


class Task(NamedTuple):
    """What is to be learnt, piece by piece."""

    targets: NDArray[Any]
    """Numbers of labels, int64, or numbers, float64: (pieces,)."""
    groups: NDArray[np.int64]
    """(pieces,)"""
    labels: tuple[str, ...]
    """None for numbers."""

    @property
    def fewest(self) -> int:
        """The number of groups of the label that has fewest."""
        labels = range(len(self.labels))
        return min((len(np.unique(self.groups[self.targets == k])) for k in labels), default=int(self.groups.max()) + 1)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the variance over groups; fewer where a label has few of them."""
        fewest, count = self.fewest - 1, int(self.groups.max()) + 1
        return max(fewest, min(2 * fewest, count - len(self.labels))) if self.labels else fewest

    @property
    def counts(self) -> dict[str, int]:
        """The number of pieces of each label."""
        if not self.labels:
            return {"pieces": len(self.targets)}
        return dict(zip(self.labels, np.bincount(self.targets).tolist(), strict=True))

    @property
    def weights(self) -> Array:
        """Of the pieces, 1 in the mean: with them every label counts alike."""
        counts = np.bincount(self.targets)
        return np.asarray(len(self.targets) / (np.count_nonzero(counts) * counts[self.targets]))

    def statistics(self, total: Array) -> dict[str, float]:
        """What is scored, `value` above all, from a sum over groups of `sums_of`.

        Of labels, 0..1: `value` is the unweighted average recall, the mean over labels of the share of their pieces that
        are recognised; `f1` the mean over labels of the harmonic mean of precision and recall; `accuracy` the share of
        pieces that are recognised. Of numbers: the mean absolute error, and Pearson's `correlation` of what is said with
        the truth, 0 where one of them does not vary.
        """
        if self.labels:
            right, truth = np.diag(total), total.sum(axis=1)
            both = total.sum(axis=0) + truth
            scores = {"value": (right[truth > 0] / truth[truth > 0]).mean()}
            scores |= {"f1": (2 * right[both > 0] / both[both > 0]).mean(), "accuracy": right.sum() / total.sum()}
        else:
            count, distance, x, y, xx, yy, xy = total
            spread = max(0.0, xx / count - (x / count) ** 2) * max(0.0, yy / count - (y / count) ** 2)
            scores = {"value": distance / count}
            scores["correlation"] = (xy / count - x * y / count**2) / np.sqrt(spread) if spread > 0 else 0.0
        return {name: float(value) for name, value in scores.items()}


class HeldOut(NamedTuple):
    """Predictions of pieces by models that were fitted without their groups."""

    said: Array
    """Calibrated probabilities (pieces, labels), or numbers (pieces, 1)."""
    guess: Array
    """(pieces,): the mean of the numbers that were not held out."""
    penalty: float
    temperature: float


def folds_of(task: Task) -> Folds:
    """Training and test pieces, five times or as often as groups allow: each piece is tested once, no group is split."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count = min(_MOST_FOLDS, task.fewest)
    if not task.labels:
        return list(GroupKFold(count).split(task.targets, groups=task.groups))
    folds: Folds = []
    for seed in range(20):
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        folds = list(splitter.split(task.targets, task.targets, task.groups))
        if all(len(np.unique(task.targets[train])) == len(task.labels) and len(test) for train, test in folds):
            break
    return [(train, test) for train, test in folds if len(test)]


def hold_out(values: Matrix, task: Task, folds: Folds, penalties: Sequence[float] = PENALTIES) -> HeldOut:
    """Predict every piece (pieces, columns) without its group. A fold's penalty is the one that is best on the others."""
    from scipy.special import softmax

    raw = np.zeros((len(penalties), len(values), len(task.labels) or 1))
    guess = np.zeros(len(values))
    for train, test in folds:
        part, rest = values[train], values[test]
        centre, scale = standardise(part)
        rest -= centre
        rest /= scale
        own = task._replace(targets=task.targets[train])
        guess[test] = own.targets.mean()
        for k, penalty in enumerate(penalties):
            weights, bias = learn(part, own, penalty)
            raw[k, test] = rest @ weights + bias
    losses = np.stack([_loss(task, one / _temperature(task, one)) for one in raw])
    chosen = np.empty_like(raw[0])
    for _, test in folds:
        others = np.ones(len(values), np.bool_)
        others[test] = False
        chosen[test] = raw[int(losses[:, others].sum(axis=1).argmin()), test]
    heat = _temperature(task, chosen)
    said = softmax(chosen / heat, axis=1) if task.labels else chosen
    return HeldOut(said, guess, penalties[int(losses.sum(axis=1).argmin())], heat)


def learn(values: Matrix, task: Task, penalty: float) -> tuple[Matrix, Matrix]:
    """Weights (columns, outputs) and bias (outputs,) of a linear model of standardised values.

    Logistic regression with labels weighted so that each counts alike; ridge regression of numbers.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    if not task.labels:
        model = Ridge(alpha=penalty, solver="cholesky").fit(values, task.targets)
        return model.coef_.reshape(-1, 1).astype(np.float32), np.array([model.intercept_], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of weak penalties, which are not chosen
        model = LogisticRegression(C=1 / penalty, class_weight="balanced", max_iter=100, tol=1e-3).fit(values, task.targets)
    weights = np.zeros((values.shape[1], len(task.labels)), np.float32)
    bias = np.full(len(task.labels), -30, np.float32)  # of labels that are not in this part
    bias[model.classes_] = 0
    own = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
    weights[:, own], bias[own] = model.coef_.T, model.intercept_
    return weights, bias


def standardise(values: Matrix) -> tuple[Matrix, Matrix]:
    """Standardise columns in place; return what was subtracted, and what they were divided by."""
    centre, scale = np.empty(values.shape[1], np.float32), np.empty(values.shape[1], np.float32)
    for at in range(0, values.shape[1], _COLUMNS):
        part = values[:, at : at + _COLUMNS].astype(np.float64)
        centre[at : at + _COLUMNS], scale[at : at + _COLUMNS] = part.mean(axis=0), part.std(axis=0)
    scale[scale <= 1e-6 * np.abs(centre)] = 1  # constant
    values -= centre
    values /= scale
    return centre, scale


def _loss(task: Task, raw: Array) -> Array:
    """Of each piece: the negative logarithm of its label's probability, every label counting alike; squared error."""
    from scipy.special import softmax

    if not task.labels:
        return np.asarray(np.square(raw[:, 0] - task.targets))
    right = np.take_along_axis(softmax(raw, axis=1), task.targets[:, None], axis=1)[:, 0]
    return np.asarray(-np.log(np.maximum(right, 1e-12)) * task.weights)


def _temperature(task: Task, raw: Array) -> float:
    """What logits are divided by, so that the probabilities are as sure as they are right (C. Guo et al., ICML 2017)."""
    if not task.labels:
        return 1.0
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(lambda power: _loss(task, raw / np.exp(power)).sum(), bounds=(-3, 4.6), method="bounded")
    return float(np.exp(found.x))


def sums_of(task: Task, said: Array) -> Array:
    """What statistics need of each group: a confusion matrix (groups, truth, said), or seven sums (groups, 7)."""
    groups = int(task.groups.max()) + 1
    if task.labels:
        result = np.zeros((groups, len(task.labels), len(task.labels)))
        np.add.at(result, (task.groups, task.targets, said.argmax(axis=1)), 1)
        return result
    x, y = task.targets, said[:, 0]
    result = np.zeros((groups, 7))
    np.add.at(result, task.groups, np.stack([np.ones_like(x), np.abs(y - x), x, y, x * x, y * y, x * y], axis=1))
    return result


def with_interval(
    sums: Array, statistic: Callable[[Array], float], freedom: int, share: bool = True
) -> tuple[float, list[float]]:
    """A statistic, and the range where it is for 95 of 100 sets of as many other groups.

    The variance over groups is the jackknife's, doubled: once for the groups that it is found on, once for the others.
    The interval is symmetric. That of a share is Wilson's, with the number of independent pieces that has this variance, at
    most the geometric mean of groups and pieces: all pieces right, in a few groups, is no certainty. It ends at 0 or 1
    where the symmetric one would. `sums` are (groups, ...); `freedom` is Student's.
    """
    from scipy.stats import t

    total, count = sums.sum(axis=0), len(sums)
    value = statistic(total)
    left_out = np.array([statistic(total - one) for one in sums])
    variance = (count - 1) / count * float(np.square(left_out - left_out.mean()).sum())
    quantile = float(t.ppf(0.975, max(1, freedom)))
    half = quantile * float(np.sqrt(2 * variance))
    if not share:
        return value, [value - half, value + half]
    shrunk = (value * count + 0.5) / (count + 1)
    most = float(np.sqrt(count * total.sum()))
    squared = 2 * quantile**2 / min(shrunk * (1 - shrunk) / max(variance, 1e-12), most)
    root = float(np.sqrt(value * (1 - value) * squared + squared**2 / 4))
    low, high = ((value + squared / 2 + side) / (1 + squared) for side in (-root, root))
    return value, [low if value > half else 0.0, high if value + half < 1 else 1.0]


def score(task: Task, said: Array, guess: Array) -> dict[str, Any]:
    """The scores of predictions, for JSON: probabilities (pieces, labels), or numbers (pieces, 1); guess as in `HeldOut`."""
    sums, found = sums_of(task, said), dict[str, Any]()
    for key in task.statistics(sums.sum(axis=0)):
        one = partial(lambda key, total: task.statistics(total)[key], key)
        found[key], (low, high) = with_interval(sums, one, task.freedom, share=bool(task.labels))
        if not task.labels:
            low, high = (max(0.0, low), high) if key == "value" else (max(-1.0, low), min(1.0, high))
        found["interval" if key == "value" else f"{key}_interval"] = [low, high]
    if not task.labels:
        chance = float(np.abs(guess - task.targets).mean())
        better = found["interval"][1] < chance and found["correlation_interval"][0] > 0
        return {"name": "mean absolute error", **found, "chance": chance, "better": better}
    whole, chance = sums.sum(axis=0), 1 / len(task.labels)
    found |= {"chance": chance, "better": found["interval"][0] > chance}
    found |= {"majority": float(whole.sum(axis=1).max() / whole.sum()), "confusion": whole.astype(int).tolist()}
    return {"name": "unweighted average recall", **found, "calibration": calibration_error(task, said)}


def calibration_error(task: Task, probabilities: Array) -> float:
    """The mean distance, over ten equal bins of the highest probability, of that probability from the share of right ones.

    Labels count alike, as they do in the probabilities.
    """
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == task.targets
    bins = np.minimum((sure * 10).astype(int), 9)
    return float(np.abs(np.bincount(bins, task.weights * (sure - right), 10)).sum() / task.weights.sum())


def sentence(scores: dict[str, Any], seconds: float, column: str, group: str) -> str:
    """The scores in plain words."""
    low, high = scores["interval"]
    if scores["name"] == "mean absolute error":
        found = f"off by {scores['value']:.3g} ({low:.3g} to {high:.3g}) in pieces of {seconds:g} s"
        chance = f"always saying the mean is off by {scores['chance']:.3g}"
    else:
        found = f"right for {100 * scores['value']:.0f} % ({100 * low:.0f} to {100 * high:.0f}) of pieces of {seconds:g} s"
        chance = f"every label counting alike; chance is {100 * scores['chance']:.0f} %"
    words = f"{found}, {chance}"
    if not scores["better"]:
        words = f"no better than chance, as far as these groups show ({words})"
    return f"{column}, where the {group} is one that it has not heard: {words}."
