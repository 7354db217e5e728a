"""Fits heads: a linear model on pieces of labelled recordings, judged on groups that were held out."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice.corpus.index import IndexSource
from edgevoice.errors import ArgumentError, EdgeVoiceWarning, missing
from edgevoice.extraction import Reading
from edgevoice.extractor import Extractor, load
from edgevoice.files import whole_file
from edgevoice.heads.head import FORMAT, KEY, Head
from edgevoice.heads.judging import balanced_weights, class_scores, number_scores
from edgevoice.heads.pieces import Labelled, Progress, Run, cut_pieces, read_labels
from edgevoice.modelfolder import ModelFolder

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Folds = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]

PENALTIES = tuple(10.0**k for k in range(7))
"""What is tried: the strength of the penalty on the sum of squared weights; scikit-learn's `alpha`, and 1 / `C`."""
_MOST_FOLDS = 5
_COLUMNS = 64
_NAME = r"\b(?=\w*\d|\w+[A-Z])[^\W_][\w-]{5,}\b"
"""A word that is the name of a corpus: with a digit, or a capital inside."""


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

    def scores(self, said: Floats, guess: Floats) -> dict[str, Any]:
        """The scores of predictions: probabilities (pieces, labels), or numbers (pieces, 1) beside a guess (pieces,)."""
        if self.labels:
            return class_scores(self.targets, said, self.groups, self.freedom)
        return number_scores(self.targets, said[:, 0], guess, self.groups)


class HeldOut(NamedTuple):
    """Predictions of pieces by models that were fitted without their groups."""

    said: Floats
    """Calibrated probabilities (pieces, labels), or numbers (pieces, 1)."""
    guess: Floats
    """(pieces,): the mean of the numbers that were not held out."""
    penalty: float
    temperature: float


def fit(
    labels: IndexSource,
    *,
    label: str,
    group: str,
    out: str | os.PathLike[str] | None = None,
    numeric: bool = False,
    seconds: float = 2.0,
    model: str | os.PathLike[str] | ModelFolder | Extractor = "cae-256",
    level: str | float | None = None,
    hop: float | None = None,
    channel: int | None = None,
    root: str | os.PathLike[str] | None = None,
    features: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Head:
    """Fit a head on labelled recordings, and judge it on groups that were held out.

    Args:
        labels: an index as `edgevoice.table` takes it, with a column of labels and one of groups: a CSV, a data frame, ...
        label: the name of the column that is learnt.
        group: the name of the column that says what belongs together, as the speaker: nothing of a group that a prediction
            is judged on was fitted on.
        out: the file to write, `NAME.onnx`; it is replaced if it is there. None writes none.
        numeric: whether the labels are numbers, as an age.
        seconds: how much audio one decision is about.
        model: name or path of a model, or an extractor.
        level: as `Extractor.extract`.
        hop: as `Extractor.extract`.
        channel: as `Extractor.extract`.
        root: the folder that relative files are in.
        features: a dataset (`NAME.parquet/`) for the frames, so that they are computed once; None is one in the user's
            cache folder.
        jobs: how much is computed at the same time: one recording or batch per usable core if None.
        progress: called with the number of recordings that are done, and of all.

    Raises:
        ArgumentError: the labels cannot be judged, as with a label that only one group has; or another argument is wrong.
        ModelError, DeviceError: the model cannot be used.
        MissingPackageError: scikit-learn, onnx or pyarrow is not installed.
        OutputError: the head or the dataset cannot be written.
    """
    check_packages()
    labelled = read_labels(labels, root, label, group, numeric)
    check_groups(labelled, numeric, group)
    extractor = model if isinstance(model, Extractor) else load(model)
    reading = Reading(level, hop, channel)
    recipe, layout = extractor.recipe(reading), extractor.layout
    run = Run.of(seconds, layout.window, round(recipe.hop * layout.rate), layout.rate)
    warn_of_origin(labelled, extractor.config)
    pieces = cut_pieces(labelled, extractor, reading, run, features, jobs, progress)
    task, values = task_of(labelled, pieces.rows, numeric, group), pieces.values
    found = hold_out(values, task, folds_of(task))
    about = {
        "format": FORMAT,
        "labels": list(task.labels) or None,
        "numeric": numeric,
        "column": label,
        "group": group,
        "seconds": float(seconds),
        "frames": run.frames,
        "descriptors": layout.descriptors,
        "rate": layout.rate,
        "window": layout.window,
        "hop": round(recipe.hop * layout.rate),
        "recipe": recipe.to_dict(),
        "counts": counts_of(task),
        "recordings": len(set(pieces.rows.tolist())),
        "groups": len(np.unique(task.groups)),
        "penalty": found.penalty,
        "range": None if task.labels else [float(task.targets.min()), float(task.targets.max())],
        "scores": task.scores(found.said, found.guess),
    }
    centre, scale = standardise(values)
    weights, bias = learn(values, task, found.penalty)
    data = head_graph(about, centre, scale, weights / found.temperature, bias / found.temperature)
    if out is not None:
        with whole_file(out) as file:
            file.write(data)
    return Head(data, os.fspath(out) if out is not None else "the head")


def check_packages() -> None:
    """Check that what fits and writes a head is installed.

    Raises:
        MissingPackageError: it is not.
    """
    from importlib.util import find_spec

    for module, package in (("sklearn", "scikit-learn"), ("onnx", "onnx"), ("pyarrow", "pyarrow")):
        if find_spec(module) is None:
            raise missing(package, "fitting a head")


def check_groups(labelled: Labelled, numeric: bool, group: str) -> None:
    """Refuse labels that cannot be judged.

    Raises:
        ArgumentError: there is one label, or a label (with numbers: all rows) has one group only.
    """
    groups = set(labelled.groups)
    if len(groups) < 2:
        raise ArgumentError(
            f"{group}: is {labelled.groups[0]!r} in all rows: a score needs groups that were not learnt from"
        )
    if numeric:
        return
    found: dict[Any, set[str]] = {}
    for target, owner in zip(labelled.targets, labelled.groups, strict=True):
        found.setdefault(target, set()).add(owner)
    if len(found) < 2:
        raise ArgumentError(f"all rows have the label {labelled.targets[0]!r}: at least two labels are needed")
    alone = sorted(target for target, owners in found.items() if len(owners) < 2)
    if alone:
        raise ArgumentError(
            f"{len(alone)} of {len(found)} labels, as {alone[0]!r}, come from one {group} each: such a label cannot be told "
            f"from the {group}; at least two are needed"
        )


def task_of(labelled: Labelled, rows: NDArray[np.int64], numeric: bool, group: str) -> Task:
    """What is learnt from pieces of these rows.

    Raises:
        ArgumentError: as `check_groups`, now of what gave pieces.
    """
    targets, owners = [labelled.targets[k] for k in rows], [labelled.groups[k] for k in rows]
    check_groups(labelled._replace(targets=tuple(targets), groups=tuple(owners)), numeric, group)
    there = set(rows.tolist())
    without = [row.file for k, row in enumerate(labelled.rows) if k not in there]
    if without:
        warnings.warn(
            f"{len(without)} of {len(labelled.rows)} rows give no piece, the first is {without[0]}: too short, silent or "
            "unreadable",
            EdgeVoiceWarning,
            stacklevel=3,
        )
    groups = np.unique(owners, return_inverse=True)[1]
    if numeric:
        return Task(np.array(targets, np.float64), groups, ())
    names, codes = np.unique(np.array(targets), return_inverse=True)
    if lost := set(map(str, labelled.targets)) - set(map(str, targets)):
        warnings.warn(f"no row with the label {min(lost)!r} gives a piece", EdgeVoiceWarning, stacklevel=3)
    return Task(codes, groups, tuple(map(str, names)))


def counts_of(task: Task) -> dict[str, int]:
    """The number of pieces of each label."""
    if not task.labels:
        return {"pieces": len(task.targets)}
    return dict(zip(task.labels, np.bincount(task.targets).tolist(), strict=True))


def folds_of(task: Task) -> Folds:
    """Training and test pieces, five times or as often as groups allow: each piece is tested once, no group is split."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count = min(_MOST_FOLDS, task.fewest)
    if not task.labels:
        return list(GroupKFold(count).split(task.targets, groups=task.groups))
    folds: Folds = []
    for seed in range(20):
        folds = list(
            StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(task.targets, task.targets, task.groups)
        )
        if all(len(np.unique(task.targets[train])) == len(task.labels) and len(test) for train, test in folds):
            break
    return [(train, test) for train, test in folds if len(test)]


def hold_out(values: Matrix, task: Task, folds: Folds) -> HeldOut:
    """Predict every piece without its group. The penalty for a fold is the one that is best on the others.

    Args:
        values: (pieces, columns).
        task: what is learnt.
        folds: training and test pieces.
    """
    width = len(task.labels) or 1
    raw = np.zeros((len(PENALTIES), len(values), width))
    guess = np.zeros(len(values))
    for train, test in folds:
        part, rest = values[train], values[test]
        centre, scale = standardise(part)
        rest -= centre
        rest /= scale
        own = task._replace(targets=task.targets[train], groups=task.groups[train])
        guess[test] = own.targets.mean()
        for k, penalty in enumerate(PENALTIES):
            weights, bias = learn(part, own, penalty)
            raw[k, test] = rest @ weights + bias
    temperatures = [temperature(task, one) for one in raw]
    losses = np.stack([loss(task, one / heat) for one, heat in zip(raw, temperatures, strict=True)])
    chosen = np.empty_like(raw[0])
    for _, test in folds:
        others = np.ones(len(values), np.bool_)
        others[test] = False
        chosen[test] = raw[int(losses[:, others].sum(axis=1).argmin()), test]
    heat = temperature(task, chosen)
    said = softmax(chosen / heat) if task.labels else chosen
    return HeldOut(said, guess, PENALTIES[int(losses.sum(axis=1).argmin())], heat)


def learn(values: Matrix, task: Task, penalty: float) -> tuple[Matrix, Matrix]:
    """Weights (columns, outputs) and bias (outputs,) of a linear model of standardised values.

    Logistic regression with labels weighted so that each counts alike; ridge regression of numbers.
    """
    import sklearn.exceptions
    from sklearn.linear_model import LogisticRegression, Ridge

    if not task.labels:
        model = Ridge(alpha=penalty, solver="cholesky").fit(values, task.targets)
        return model.coef_.reshape(-1, 1).astype(np.float32), np.array([model.intercept_], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)  # of weak penalties, which are not chosen
        model = LogisticRegression(C=1 / penalty, class_weight="balanced", max_iter=100, tol=1e-3).fit(values, task.targets)
    weights = np.zeros((values.shape[1], len(task.labels)), np.float32)
    bias = np.full(len(task.labels), -30, np.float32)  # of labels that are not in this part
    bias[model.classes_] = 0
    if len(model.classes_) == 2:
        weights[:, model.classes_[1]], bias[model.classes_[1]] = model.coef_[0], model.intercept_[0]
    else:
        weights[:, model.classes_], bias[model.classes_] = model.coef_.T, model.intercept_
    return weights, bias


def standardise(values: Matrix) -> tuple[Matrix, Matrix]:
    """Standardise columns in place; return what was subtracted, and what they were divided by."""
    centre, scale = np.empty(values.shape[1], np.float32), np.empty(values.shape[1], np.float32)
    for at in range(0, values.shape[1], _COLUMNS):
        part = values[:, at : at + _COLUMNS].astype(np.float64)
        centre[at : at + _COLUMNS], scale[at : at + _COLUMNS] = part.mean(axis=0), part.std(axis=0)
    scale[scale <= 1e-6 * np.abs(centre)] = 1  # constant
    scale[scale == 0] = 1
    values -= centre
    values /= scale
    return centre, scale


def softmax(logits: Floats) -> Floats:
    """Probabilities (pieces, labels)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def loss(task: Task, raw: Floats) -> Floats:
    """Of each piece: the negative logarithm of its label's probability, every label counting alike; squared error."""
    if not task.labels:
        return np.asarray(np.square(raw[:, 0] - task.targets))
    right = np.take_along_axis(softmax(raw), task.targets[:, None], axis=1)[:, 0]
    return np.asarray(-np.log(np.maximum(right, 1e-12)) * balanced_weights(task.targets, len(task.labels)))


def temperature(task: Task, raw: Floats) -> float:
    """What logits are divided by, so that the probabilities are as sure as they are right (C. Guo et al., ICML 2017)."""
    if not task.labels:
        return 1.0
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(lambda power: loss(task, raw / np.exp(power)).sum(), bounds=(-3, 4.6), method="bounded")
    return float(np.exp(found.x))


def warn_of_origin(labelled: Labelled, config: ModelConfig) -> None:
    """Warn where the path of a recording names the data that the model was trained on."""
    text = json.dumps((config.origin or {}).get("trained_on"))
    names = {word.lower() for word in re.findall(_NAME, text)}
    for row in labelled.rows:
        if known := names & {part.lower() for part in Path(row.path).absolute().parts}:
            warnings.warn(
                f"{row.file} seems to be of {min(known)}, which {config.name} was trained on: speakers that the network "
                "knows promise too much; judge the head on others",
                EdgeVoiceWarning,
                stacklevel=3,
            )
            return


_GRAPH = """\
<ir_version: 8, opset_import: ["": 17]>
head (float[{frames}, {descriptors}] frames, bool[{frames}] silent) => (bool[1] decided, float[{count}] {result}) {{
    is_heard = Not(silent)
    heard = Cast <to = 1> (is_heard)
    count = ReduceSum <keepdims = 1> (heard, last)
    twice = Add(count, count)
    decided = GreaterOrEqual(twice, needed)
    divisor = Max(count, one)
    divisors = Unsqueeze(divisor, last)
    marks = Unsqueeze(heard, last)
    kept = Mul(frames, marks)
    sum = ReduceSum <keepdims = 1> (kept, before)
    mean = Div(sum, divisors)
    distance = Sub(frames, mean)
    deviation = Mul(distance, marks)
    squares = Mul(deviation, deviation)
    square_sum = ReduceSum <keepdims = 1> (squares, before)
    variance = Div(square_sum, divisors)
    std = Sqrt(variance)
    described = Concat <axis = -1> (mean, std)
    centred = Sub(described, centre)
    standardised = Div(centred, scale)
    products = MatMul(standardised, weights)
    row = Add(products, bias)
    {last}
}}
"""
"""All axes are counted from the end, so that the same nodes take batches (b, frames, descriptors)."""


def head_graph(about: dict[str, Any], centre: Matrix, scale: Matrix, weights: Matrix, bias: Matrix) -> bytes:
    """The ONNX file of a head; `about` is what its metadata says."""
    from onnx import helper, numpy_helper, parser

    last = "logits = Squeeze(row, before) probabilities = Softmax <axis = -1> (logits)"
    sizes = {"frames": about["frames"], "descriptors": about["descriptors"], "count": len(bias)}
    if about["labels"]:
        text = _GRAPH.format(**sizes, result="probabilities", last=last)
    else:
        text = _GRAPH.format(**sizes, result="value", last="value = Squeeze(row, before)")
    model = parser.parse_model(text)
    constants = {"centre": centre, "scale": scale, "weights": weights, "bias": bias, "one": 1, "needed": about["frames"]}
    tensors = {name: np.asarray(value, np.float32) for name, value in constants.items()}
    tensors |= {"last": np.array([-1]), "before": np.array([-2])}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    for node in model.graph.node:
        node.name = node.output[0]
    model.producer_name = "edgevoice"
    helper.set_model_props(model, {KEY: json.dumps(about, allow_nan=False)})
    data: bytes = model.SerializeToString()
    return data
