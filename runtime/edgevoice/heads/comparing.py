"""Compares models, levels and openSMILE's sets on the user's own labels: the same pieces, the same folds."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.files import open_source, resampled
from edgevoice.corpus.index import IndexSource
from edgevoice.errors import ArgumentError, AudioError, missing
from edgevoice.extractor import load
from edgevoice.heads.fitting import warn_of_origin
from edgevoice.heads.judging import Folds, Task, folds_of, hold_out, score, sums_of, with_interval
from edgevoice.heads.pieces import Labelled, Pieces, Progress, cut_pieces, read_labels
from edgevoice.plotting.figurefile import new_figure, styled, write_figure
from edgevoice.recipe import Reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        for name, columns, scores, difference, curve in self.found:
            low, high = scores["interval"]
            row = {"features": name, "numbers": columns, "score": scores["value"], "low": low, "high": high}
            row |= {"chance": scores["chance"], "better_than_chance": scores["better"]}
            value, (low, high) = difference or (None, (None, None))
            row |= {"difference": value, "difference_low": low, "difference_high": high}
            result.append(row | {f"score_at_{share:g}": mean for share, (mean, _) in curve.items()})
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

    All are judged on the same pieces: what one of them cannot read is left out of all. `models` are names or paths, each
    with every level; a level of None is the model's own. `opensmile` names its sets; None is eGeMAPSv02 where the package
    is installed. `fractions`, above 0 and 1 at most, are shares of the labelled recordings with which each is fitted too.
    `seconds` is a multiple of all hops. The other arguments are those of `fit`; `progress` begins anew for each.

    Raises:
        ArgumentError: as `fit`; or an argument is outside what is allowed.
        MissingPackageError: as `fit`; or openSMILE was asked for and is not installed.
    """
    for share in fractions:
        if not (isinstance(share, int | float) and 0 < share <= 1):
            raise ArgumentError(f"fraction {share!r}: expected a number above 0, 1 at most")
    labelled = read_labels(labels, root, label, group, numeric)
    kinds: list[tuple[str, Pieces]] = []
    for model in models:
        extractor = load(model)
        config = extractor.config
        warn_of_origin(labelled, config)
        for level in levels:
            pieces = cut_pieces(labelled, extractor, Reading(level), seconds, None, jobs, progress)
            pieces = pieces._replace(starts=pieces.starts * config.audio.hop * _RATE // config.audio.rate)
            kinds.append((f"{config.name}, {config.level.default if level is None else level}", pieces))
    if not kinds:
        raise ArgumentError("openSMILE's sets are compared with a model: name at least one")
    for name in ("eGeMAPSv02",) * bool(find_spec("opensmile")) if opensmile is None else opensmile:
        kinds.append((f"openSMILE {name}", _opensmile(name, labelled, kinds[0][1], seconds)))
    places = [{key: k for k, key in enumerate(zip(one.rows.tolist(), one.starts.tolist(), strict=True))} for _, one in kinds]
    shared = sorted(set.intersection(*map(set, places)))
    if not shared:
        raise ArgumentError(f"no piece in common: expected seconds that are a multiple of all hops, not {seconds:g}")
    rows = np.array([row for row, _ in shared])
    task = labelled.task(rows)
    folds = folds_of(task)

    def difference_of(both: NDArray[np.float64]) -> float:
        return task.statistics(both[0])["value"] - task.statistics(both[1])["value"]

    found: list[Compared] = []
    sums: list[NDArray[np.float64]] = []
    for (name, pieces), at in zip(kinds, places, strict=True):
        values = pieces.values[[at[key] for key in shared]]
        held = hold_out(values, task, folds)
        sums.append(sums_of(task, held.said))
        both = np.stack([sums[-1], sums[0]], axis=1)
        difference = with_interval(both, difference_of, task.freedom, share=False) if found else None
        curve = {float(share): _curve(values, task, folds, rows, held.penalty, share) for share in sorted(set(fractions))}
        found.append(Compared(name, values.shape[1], score(task, held.said, held.guess), difference, curve))
    left_out = []
    there = [(name, set(pieces.rows.tolist())) for name, pieces in kinds]
    for k, row in enumerate(labelled.rows):
        if lacking := [name for name, some in there if k not in some]:
            left_out.append((row.file, "all" if len(lacking) == len(kinds) else "; ".join(lacking)))
    groups = len(np.unique(task.groups))
    return Comparison(tuple(found), tuple(left_out), task.counts, groups, label, group, float(seconds))


def _curve(
    values: NDArray[np.float32], task: Task, folds: Folds, rows: NDArray[np.int64], penalty: float, share: float
) -> tuple[float, float]:
    """Mean and standard deviation of the score where only a share of the recordings of each label is learnt from."""
    scores, targets = [], task.targets if task.labels else np.zeros(len(rows))
    for seed in range(_SEEDS):
        fewer = []
        for train, test in folds:
            # Two of each label at least; a larger share has the recordings of a smaller one too.
            every = [np.unique(rows[train][targets[train] == target]) for target in np.unique(targets[train])]
            drawn = [np.random.default_rng(seed).permutation(own)[: max(2, round(share * len(own)))] for own in every]
            fewer.append((train[np.isin(rows[train], np.concatenate(drawn))], test))
        said = hold_out(values, task, fewer, [penalty]).said
        scores.append(task.statistics(sums_of(task, said).sum(axis=0))["value"])
    return float(np.mean(scores)), float(np.std(scores))


def _opensmile(name: str, labelled: Labelled, like: Pieces, seconds: float) -> Pieces:
    """The functionals of one of openSMILE's sets for the same pieces."""
    try:
        import opensmile
    except ModuleNotFoundError as error:
        raise missing("opensmile") from error
    if name not in (known := [one.name for one in opensmile.FeatureSet]):
        raise ArgumentError(f"openSMILE set {name!r}: expected one of {', '.join(known)}")
    smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)
    found: list[tuple[NDArray[np.float32], int, int]] = []
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
                found.append((values, number, start))
    if not found:
        raise ArgumentError(f"openSMILE {name}: gives no piece")
    values, rows, starts = map(np.array, zip(*found, strict=True))
    return Pieces(values, rows, starts, like.frames)


@styled
def draw_comparison(comparison: Comparison) -> Figure:
    """Draw the scores with their intervals and, where there are, the curves over the share of labelled recordings."""
    found, (name, chance) = comparison.found, (comparison.found[0].scores[key] for key in ("name", "chance"))
    curves = bool(found[0].curve)
    figure = new_figure(13 if curves else 7, 1.6 + max(2.5, 0.5 * len(found)))
    scores, *others = figure.subplots(1, 1 + curves, squeeze=False)[0]
    for k, one in enumerate(found):
        colour = f"C{k % 10}"
        scores.plot(one.scores["interval"], [k, k], color=colour, linewidth=2)
        scores.plot(one.scores["value"], k, "o", color=colour)
        for panel in others:
            shares, (means, spreads) = list(one.curve), np.array(list(one.curve.values())).T
            panel.plot(shares, means, "o-", color=colour, label=one.name)
            panel.fill_between(shares, means - spreads, means + spreads, color=colour, alpha=0.15, linewidth=0)
            panel.set(xlabel="share of the recordings that are labelled", ylabel=name)
    scores.axvline(chance, color="grey", linestyle=":", label="chance")
    scores.set_yticks(range(len(found)), [one.name for one in found])
    scores.invert_yaxis()
    scores.set_xlabel(f"{name}, and where as many other groups would be")
    scores.set_title(f"{comparison.column}: {sum(comparison.pieces.values())} pieces of {comparison.groups} groups")
    for panel in (scores, *others):
        panel.legend()
    return figure


def comparison_page(comparison: Comparison, lines: Sequence[str]) -> str:
    """A comparison as one HTML page that loads nothing: a picture, and lines of text."""
    write_figure(draw_comparison(comparison), file := io.BytesIO(), "png")
    picture = base64.b64encode(file.getvalue()).decode()
    title = escape(f"{comparison.column}: what features are worth")
    lost = [f"Left out of all: {len(comparison.left_out)} rows", *map(": ".join, comparison.left_out)]
    text = escape("\n".join([*lines, "", *lost]))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f'<body style="font: 16px sans-serif; margin: 2em"><h1>{title}</h1>\n'
        f'<img alt="scores" style="max-width: 100%" src="data:image/png;base64,{picture}">\n'
        f'<pre style="overflow: auto">{text}</pre></html>\n'
    )
