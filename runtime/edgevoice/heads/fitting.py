"""Fits heads: a linear model on pieces of labelled recordings, judged on groups that were held out."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevoice.config import ModelConfig
from edgevoice.corpus.index import IndexSource
from edgevoice.extractor import Extractor, load
from edgevoice.files import whole_file
from edgevoice.heads.head import FORMAT, KEY, Head
from edgevoice.heads.judging import Matrix, folds_of, hold_out, learn, score, standardise
from edgevoice.heads.pieces import Labelled, Progress, cut_pieces, read_labels, warn
from edgevoice.modelfolder import ModelFolder
from edgevoice.plotting.figurefile import new_figure, styled
from edgevoice.recipe import Reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAME = r"\b(?=\w*\d|\w+[A-Z])[^\W_][\w-]{5,}\b"
"""A word that is the name of a corpus: with a digit, or a capital inside."""


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
    labelled = read_labels(labels, root, label, group, numeric)
    extractor = model if isinstance(model, Extractor) else load(model)
    reading, layout = Reading(level, hop, channel), extractor.layout
    recipe = extractor.recipe(reading)
    warn_of_origin(labelled, extractor.config)
    pieces = cut_pieces(labelled, extractor, reading, seconds, features, jobs, progress)
    task, values = labelled.task(pieces.rows), pieces.values
    found = hold_out(values, task, folds_of(task))
    about: dict[str, Any] = {"format": FORMAT, "labels": list(task.labels) or None, "column": label, "group": group}
    about |= {"seconds": float(seconds), "frames": pieces.frames, "descriptors": layout.descriptors, "rate": layout.rate}
    about |= {"window": layout.window, "hop": round(recipe.hop * layout.rate), "recipe": recipe.to_dict()}
    about |= {"counts": task.counts, "recordings": len(set(pieces.rows.tolist())), "groups": len(np.unique(task.groups))}
    about |= {"penalty": found.penalty, "scores": score(task, found.said, found.guess)}
    centre, scale = standardise(values)
    weights, bias = learn(values, task, found.penalty)
    data = head_graph(about, centre, scale, weights / found.temperature, bias / found.temperature)
    if out is not None:
        with whole_file(out) as file:
            file.write(data)
    return Head(data, "the head" if out is None else os.fspath(out))


def warn_of_origin(labelled: Labelled, config: ModelConfig) -> None:
    """Warn where the path of a recording names the data that the model was trained on."""
    names = {word.lower() for word in re.findall(_NAME, json.dumps((config.origin or {}).get("trained_on")))}
    for row in labelled.rows:
        path = Path(row.path).absolute().as_posix().lower()
        if known := [name for name in names if re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", path)]:
            warn(
                f"{row.file} seems to be of {min(known)}, which {config.name} was trained on: speakers that the network "
                "knows promise too much; judge the head on others"
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

    result, last = "value", "value = Squeeze(row, before)"
    if about["labels"]:
        result, last = "probabilities", "logits = Squeeze(row, before) probabilities = Softmax <axis = -1> (logits)"
    sizes = {"frames": about["frames"], "descriptors": about["descriptors"], "count": len(bias)}
    model = parser.parse_model(_GRAPH.format(**sizes, result=result, last=last))
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


@styled
def draw_confusion(head: Head) -> Figure:
    """Draw what was said of the pieces of each label, on groups that were held out, in shares of a row."""
    from sklearn.metrics import ConfusionMatrixDisplay

    confusion, scores = np.array(head.scores["confusion"], float), head.scores
    counts = confusion.sum(axis=1, keepdims=True)
    side = 2.5 + 0.55 * min(len(counts), 25)
    figure = new_figure(side + 0.8, side)
    panel = figure.subplots()
    shown = ConfusionMatrixDisplay(confusion / np.maximum(counts, 1), display_labels=head.labels)
    turn = "horizontal" if len(counts) < 4 else "vertical"
    shown.plot(ax=panel, include_values=len(counts) <= 12, cmap="cividis", values_format=".0%", xticks_rotation=turn)
    shown.im_.set_clim(0, 1)
    panel.set_yticks(range(len(counts)), [f"{name} ({n:.0f})" for name, n in zip(head.labels, counts[:, 0], strict=True)])
    panel.set(xlabel="said, in shares of a row", ylabel=f"{head.about['column']} (pieces)")
    low, high = scores["interval"]
    panel.set_title(f"recall {scores['value']:.2f} ({low:.2f} to {high:.2f}), chance {scores['chance']:.2f}")
    return figure
