"""Compares models, levels and openSMILE's sets on the user's own labels: the same pieces, the same folds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.files import open_source
from edgevoice.audio.resampling import resampled
from edgevoice.corpus.index import IndexSource
from edgevoice.errors import ArgumentError, AudioError, missing
from edgevoice.extraction import Reading
from edgevoice.extractor import load
from edgevoice.heads.fitting import (
    Folds,
    HeldOut,
    Task,
    check_groups,
    check_packages,
    counts_of,
    folds_of,
    hold_out,
    learn,
    standardise,
    task_of,
    warn_of_origin,
)
from edgevoice.heads.judging import confusions, mean_error, number_sums, recall, with_interval
from edgevoice.heads.pieces import Labelled, Pieces, Progress, Run, cut_pieces, read_labels

_RATE = 16000
"""Of what openSMILE is given."""
_SEEDS = 5


class Compared(NamedTuple):
    """What one kind of features is worth."""

    name: str
    columns: int
    scores: dict[str, Any]
    """As `Head.scores`."""
    difference: tuple[float, list[float]] | None
    """From the first: its value, and the interval for as many other groups; None of the first itself."""
    curve: dict[float, tuple[float, float]]
    """Mean and standard deviation of the score over draws, by the share of labelled recordings."""


class Comparison(NamedTuple):
    """The result of `compare`; the first is what the others are compared with."""

    found: tuple[Compared, ...]
    left_out: tuple[tuple[str, str], ...]
    """Files of rows of which some features have no piece, and which features these are."""
    pieces: dict[str, int]
    """The number of pieces of each label."""
    groups: int
    column: str
    group: str
    seconds: float

    def rows(self) -> list[dict[str, Any]]:
        """The table: one row per kind of features."""
        result = []
        for one in self.found:
            scores, difference = one.scores, one.difference
            low, high = scores["interval"]
            row = {"features": one.name, "numbers": one.columns, "score": scores["value"], "low": low, "high": high}
            row |= {"chance": scores["chance"], "better_than_chance": scores["better"]}
            value, (least, most) = difference or (None, (None, None))
            row |= {"difference": value, "difference_low": least, "difference_high": most}
            result.append(row | {f"score_at_{share:g}": mean for share, (mean, _) in one.curve.items()})
        return result


def compare(
    labels: IndexSource,
    *,
    label: str,
    group: str,
    models: Sequence[str | os.PathLike[str]] = ("cae-256",),
    levels: Sequence[str | float | None] = (None,),
    opensmile: Sequence[str] | None = None,
    fractions: Sequence[float] = (),
    numeric: bool = False,
    seconds: float = 2.0,
    root: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare what features are worth on your own labels, with the linear model and the held-out groups of `fit`.

    All are judged on the same pieces: what one of them cannot read is left out of all.

    Args:
        labels: as `fit`.
        label: as `fit`.
        group: as `fit`.
        models: names or paths, each with every level.
        levels: None is a model's own.
        opensmile: names of openSMILE's sets, as `eGeMAPSv02`; None is that one where the package is installed.
        fractions: shares of the labelled recordings, from above 0 to 1, with which each is fitted too.
        numeric: as `fit`.
        seconds: as `fit`; a multiple of all hops.
        root: as `fit`.
        jobs: as `fit`.
        progress: as `fit`, once for each.

    Raises:
        ArgumentError: as `fit`; or an argument is outside what is allowed.
        MissingPackageError: as `fit`; or openSMILE was asked for and is not installed.
    """
    check_packages()
    for share in fractions:
        if not (isinstance(share, int | float) and 0 < share <= 1):
            raise ArgumentError(f"fraction {share!r}: expected a number above 0, 1 at most")
    labelled = read_labels(labels, root, label, group, numeric)
    check_groups(labelled, numeric, group)
    if opensmile is None:
        opensmile = ("eGeMAPSv02",) if find_spec("opensmile") else ()
    names: list[str] = []
    all_pieces: list[Pieces] = []
    for model in models:
        extractor = load(model)
        layout, config = extractor.layout, extractor.config
        warn_of_origin(labelled, config)
        for level in levels:
            run = Run.of(seconds, layout.window, config.audio.hop, layout.rate)
            names.append(f"{config.name}, {config.level.default if level is None else level}")
            pieces = cut_pieces(labelled, extractor, Reading(level), run, None, jobs, progress)
            all_pieces.append(pieces._replace(starts=pieces.starts * config.audio.hop * _RATE // layout.rate))
    for name in opensmile:
        if not all_pieces:
            raise ArgumentError("openSMILE's sets are compared with a model: name at least one")
        names.append(f"openSMILE {name}")
        all_pieces.append(_opensmile(name, labelled, all_pieces[0], seconds))
    if len(set(names)) < len(names):
        raise ArgumentError(f"compared twice: {max(names, key=names.count)}")
    shared = sorted(set.intersection(*(set(_keys(pieces)) for pieces in all_pieces)))
    if not shared:
        raise ArgumentError(f"no piece in common: expected seconds that are a multiple of all hops, not {seconds:g}")
    rows = np.array([row for row, _ in shared])
    task = task_of(labelled, rows, numeric, group)
    folds = folds_of(task)
    values = [_chosen(pieces, shared) for pieces in all_pieces]
    held = [hold_out(one, task, folds) for one in values]
    sums = [_sums(task, one.said) for one in held]
    found = []
    for k, name in enumerate(names):
        difference = None if k == 0 else _difference(task, sums[k], sums[0])
        curve = {float(share): _curve(values[k], task, folds, rows, held[k], share) for share in sorted(set(fractions))}
        found.append(Compared(name, values[k].shape[1], task.scores(held[k].said, held[k].guess), difference, curve))
    left_out = []
    with_pieces = [set(pieces.rows.tolist()) for pieces in all_pieces]
    for k, row in enumerate(labelled.rows):
        lacking = [name for name, there in zip(names, with_pieces, strict=True) if k not in there]
        if lacking:
            left_out.append((row.file, "all" if len(lacking) == len(names) else "; ".join(lacking)))
    groups = len(np.unique(task.groups))
    return Comparison(tuple(found), tuple(left_out), counts_of(task), groups, label, group, float(seconds))


def _keys(pieces: Pieces) -> Iterator[tuple[int, int]]:
    return zip(pieces.rows.tolist(), pieces.starts.tolist(), strict=True)


def _chosen(pieces: Pieces, keys: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    at = {key: k for k, key in enumerate(_keys(pieces))}
    return pieces.values[[at[key] for key in keys]]


def _sums(task: Task, said: NDArray[np.float64]) -> NDArray[np.float64]:
    if task.labels:
        return confusions(task.targets, said.argmax(axis=1), task.groups, len(task.labels))
    return number_sums(task.targets, said[:, 0], task.groups)


def _difference(task: Task, one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, list[float]]:
    statistic = recall if task.labels else mean_error
    both = np.stack([one, other], axis=1)
    return with_interval(both, lambda total: statistic(total[0]) - statistic(total[1]), task.freedom, share=False)


def _curve(
    values: NDArray[np.float32], task: Task, folds: Folds, rows: NDArray[np.int64], held: HeldOut, share: float
) -> tuple[float, float]:
    """Mean and standard deviation of the score where only a share of the recordings of each label is learnt from."""
    scores = []
    for seed in range(_SEEDS):
        said = np.zeros_like(held.said)
        for train, test in folds:
            part_rows = _drawn(rows[train], task.targets[train] if task.labels else None, share, seed)
            chosen = train[np.isin(rows[train], part_rows)]
            part, own = values[chosen], task._replace(targets=task.targets[chosen], groups=task.groups[chosen])
            centre, scale = standardise(part)
            weights, bias = learn(part, own, held.penalty)
            said[test] = (values[test] - centre) / scale @ weights + bias
        total = _sums(task, said).sum(axis=0)
        scores.append(recall(total) if task.labels else mean_error(total))
    return float(np.mean(scores)), float(np.std(scores))


def _drawn(rows: NDArray[np.int64], targets: NDArray[Any] | None, share: float, seed: int) -> NDArray[np.int64]:
    """Rows at random, the same share of each label, two at least; a larger share has those of a smaller one too."""
    drawn = []
    for target in [None] if targets is None else np.unique(targets):
        own = np.unique(rows if target is None else rows[targets == target])
        drawn.append(np.random.default_rng(seed).permutation(own)[: max(2, round(share * len(own)))])
    return np.concatenate(drawn)


def _opensmile(name: str, labelled: Labelled, like: Pieces, seconds: float) -> Pieces:
    """The functionals of one of openSMILE's sets for the same pieces."""
    try:
        import opensmile
    except ModuleNotFoundError as error:
        raise missing("opensmile") from error
    if name not in (known := [one.name for one in opensmile.FeatureSet]):
        raise ArgumentError(f"openSMILE set {name!r}: expected one of {', '.join(known)}")
    smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)
    found: list[tuple[int, int, NDArray[np.float32]]] = []
    length = round(seconds * _RATE)
    for number in np.unique(like.rows).tolist():
        row = labelled.rows[number]
        try:
            with open_source(row.path, channel=row.channel) as source:
                samples = np.concatenate(list(resampled(source, _RATE, row.channel)))
        except AudioError:
            continue  # listed as left out
        for start in like.starts[like.rows == number].tolist():
            values = smile.process_signal(samples[start : start + length], _RATE).to_numpy()[0].astype(np.float32)
            if np.isfinite(values).all():
                found.append((number, start, values))
    if not found:
        raise ArgumentError(f"openSMILE {name}: gives no piece")
    rows, starts, all_values = zip(*found, strict=True)
    return Pieces(np.stack(all_values), np.array(rows), np.array(starts))
