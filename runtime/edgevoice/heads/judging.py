"""Scores of predictions on groups that were held out, each with the interval for as many other groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array], float]
"""A number from sums over groups: a confusion matrix (truth, said), or the sums of `number_sums`."""

_BINS = 10


def recall(confusion: Array) -> float:
    """Unweighted average recall, 0..1: the mean over labels of the share of their pieces that are recognised."""
    count = confusion.sum(axis=1)
    return float((np.diag(confusion)[count > 0] / count[count > 0]).mean())


def macro_f1(confusion: Array) -> float:
    """The mean over labels of the harmonic mean of precision and recall, 0..1."""
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float((2 * np.diag(confusion)[both > 0] / both[both > 0]).mean())


def accuracy(confusion: Array) -> float:
    """The share of pieces that are recognised, 0..1."""
    return float(np.trace(confusion) / confusion.sum())


def mean_error(sums: Array) -> float:
    """Mean absolute error."""
    return float(sums[1] / sums[0])


def correlation(sums: Array) -> float:
    """Pearson's correlation of what is said with the truth; 0 where one of them does not vary."""
    count, _, x, y, xx, yy, xy = sums
    spread = max(0.0, xx / count - (x / count) ** 2) * max(0.0, yy / count - (y / count) ** 2)
    return float((xy / count - x * y / count**2) / np.sqrt(spread)) if spread > 0 else 0.0


def confusions(truth: NDArray[np.int64], said: NDArray[np.int64], groups: NDArray[np.int64], labels: int) -> Array:
    """The confusion matrix of each group: (groups, labels, labels)."""
    result = np.zeros((int(groups.max()) + 1, labels, labels))
    np.add.at(result, (groups, truth, said), 1)
    return result


def number_sums(truth: Array, said: Array, groups: NDArray[np.int64]) -> Array:
    """What `mean_error` and `correlation` need of each group: (groups, 7)."""
    ones = np.ones_like(truth)
    terms = np.stack([ones, np.abs(said - truth), truth, said, truth * truth, said * said, truth * said], axis=1)
    result = np.zeros((int(groups.max()) + 1, terms.shape[1]))
    np.add.at(result, groups, terms)
    return result


def with_interval(sums: Array, statistic: Statistic, freedom: int, share: bool = True) -> tuple[float, list[float]]:
    """A statistic, and the range where it is for 95 of 100 sets of as many other groups.

    The variance over groups is the jackknife's, doubled: once for the groups that it is found on, once for the others.
    The interval is symmetric. That of a share is Wilson's, with the number of independent pieces that has this variance, at
    most the geometric mean of groups and pieces: all pieces right, in a few groups, is no certainty. It ends at 0 or 1
    where the symmetric one would.

    Args:
        sums: (groups, ...): their sum gives the statistic.
        statistic: what is computed.
        freedom: degrees of freedom of Student's t.
        share: whether it is from 0 to 1.
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
    pieces = min(shrunk * (1 - shrunk) / max(variance, 1e-12), most) / 2
    squared = quantile**2 / pieces
    root = float(np.sqrt(value * (1 - value) * squared + squared**2 / 4))
    low, high = ((value + squared / 2 + side) / (1 + squared) for side in (-root, root))
    return value, [low if value > half else 0.0, high if value + half < 1 else 1.0]


def class_scores(truth: NDArray[np.int64], probabilities: Array, groups: NDArray[np.int64], freedom: int) -> dict[str, Any]:
    """The scores of a head for labels, for JSON: truth and groups (pieces,), probabilities (pieces, labels)."""
    labels = probabilities.shape[1]
    sums = confusions(truth, probabilities.argmax(axis=1), groups, labels)
    whole = sums.sum(axis=0)
    value, interval = with_interval(sums, recall, freedom)
    f1, f1_interval = with_interval(sums, macro_f1, freedom)
    right, right_interval = with_interval(sums, accuracy, freedom)
    return {
        "name": "unweighted average recall",
        "value": value,
        "interval": interval,
        "chance": 1 / labels,
        "better": interval[0] > 1 / labels,
        "f1": f1,
        "f1_interval": f1_interval,
        "accuracy": right,
        "accuracy_interval": right_interval,
        "majority": float(whole.sum(axis=1).max() / whole.sum()),
        "confusion": whole.astype(int).tolist(),
        "calibration": calibration_error(truth, probabilities),
    }


def number_scores(truth: Array, said: Array, guess: Array, groups: NDArray[np.int64]) -> dict[str, Any]:
    """The scores of a head for a number, for JSON; `guess` is the mean of those that were not held out: all (pieces,)."""
    sums, freedom = number_sums(truth, said, groups), int(groups.max())
    value, interval = with_interval(sums, mean_error, freedom, share=False)
    found, found_interval = with_interval(sums, correlation, freedom, share=False)
    chance = float(np.abs(guess - truth).mean())
    return {
        "name": "mean absolute error",
        "value": value,
        "interval": [max(0.0, interval[0]), interval[1]],
        "chance": chance,
        "better": interval[1] < chance and found_interval[0] > 0,
        "correlation": found,
        "correlation_interval": [max(-1.0, found_interval[0]), min(1.0, found_interval[1])],
    }


def balanced_weights(truth: NDArray[np.int64], labels: int) -> Array:
    """Weights of pieces, 1 in the mean, with which every label counts alike."""
    counts = np.bincount(truth, minlength=labels)
    return np.asarray(len(truth) / (np.count_nonzero(counts) * counts[truth]))


def calibration_error(truth: NDArray[np.int64], probabilities: Array) -> float:
    """The mean distance, over ten equal bins of the highest probability, of that probability from the share of right ones.

    Labels count alike, as they do in the probabilities.
    """
    weights = balanced_weights(truth, probabilities.shape[1])
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    return float(np.abs(np.bincount(bins, weights * (sure - right), _BINS)).sum() / weights.sum())


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
