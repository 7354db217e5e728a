"""Curves of the scores over the share of labels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.label_efficiency.experiment import Results, View
from benchmarks.label_efficiency.scores import Curve

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito's: safe for all eyes
LINES = ("-", "--", ":")  # the same colour comes again with another line
BEST = "best classifier"


def draw(results: Results, folder: Path) -> list[Path]:
    """Write a figure for each classifier, and one with each feature set's best; return their paths."""
    panels = {kind: {view: results.curves(view, kind) for view in results.experiment.views} for kind in results.classifiers}
    panels[BEST] = {view: _best(results, view) for view in results.experiment.views}
    return [_draw(results, kind, views, folder) for kind, views in panels.items()]


def _best(results: Results, view: View) -> dict[str, Curve]:
    curves = {}
    for features in results.experiment.sets:
        kind = results.best(features.name)
        curves[f"{features.name}: {kind}"] = results.curves(view, kind)[features.name]
    return curves


def _draw(results: Results, kind: str, views: Mapping[View, Mapping[str, Curve]], folder: Path) -> Path:
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        width = 1.2 + max(6.0, 3.4 * len(views))
        figure = Figure(figsize=(width, 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(1, len(views), sharey=True, squeeze=False)[0]
        for panel, (view, curves) in zip(axes, views.items(), strict=True):
            _panel(panel, results, view, curves)
        axes[0].set_ylabel("weighted F1")
        figure.suptitle(f"{results.experiment.title} · {kind}", fontsize=10.5)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=max(1, int(width // 3.6)), frameon=False)
        path = folder / f"{results.experiment.name}_{kind.replace(' ', '_').lower()}.png"
        figure.savefig(path, dpi=130, metadata={"Software": ""})
    return path


def _panel(panel: Any, results: Results, view: View, curves: Mapping[str, Curve]) -> None:
    guess, low, high = results.chance(view, results.experiment.sets[0])
    panel.axhspan(low, high, color="#000000", alpha=0.07, linewidth=0)
    panel.axhline(guess, color="#000000", linestyle=":", linewidth=1, label="chance, and 95 % of guesses")
    for (line, colour), (name, curve) in zip(itertools.product(LINES, COLOURS), curves.items(), strict=False):
        panel.plot(curve.percents, curve.mean, color=colour, linestyle=line, linewidth=1.4, label=name)
        band = np.clip([curve.mean - curve.band, curve.mean + curve.band], 0, 1)
        panel.fill_between(curve.percents, *band, color=colour, alpha=0.18, linewidth=0)
    panel.set_title(view.name, fontsize=9)
    panel.set_xlabel("labelled recordings used, % of each class")
    panel.set_xlim(0, 100)
    panel.grid(axis="y", color="#000000", alpha=0.08)
