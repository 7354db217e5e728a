"""Figures of the results: probes, movement, reconstruction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.feature_quality.experiment import Results
from benchmarks.feature_quality.probes import TASKS
from benchmarks.label_efficiency.report import COLOURS

_STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Write the figures, `<name>_probes.png` and so on; return their paths."""
    figures = {"probes": _probes, "movement": _movement, "reconstruction": _reconstruction}
    paths = []
    for kind, make in figures.items():
        with mpl.rc_context(_STYLE):
            figure = make(results)
            paths.append(folder / f"{name}_{kind}.png")
            figure.savefig(paths[-1], dpi=130, metadata={"Software": ""})
    return paths


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _rows(panel: Any, names: list[str]) -> None:
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.grid(axis="x", color="#000000", alpha=0.08)


def _probes(results: Results) -> Figure:
    names = list(results.dimensions)
    figure = _figure(10.5, 1.3 + 0.28 * len(names))
    for panel, task in zip(figure.subplots(1, len(TASKS), sharey=True), TASKS, strict=True):
        scores = [results.scores[task.name][name] for name in names]
        guess, _ = results.chance[task.name]
        for row, found in enumerate(scores):
            colour = COLOURS[0] if row == 0 else COLOURS[1]
            panel.errorbar(found.mean, row, xerr=found.error, fmt="o", color=colour, markersize=5, linewidth=1.4)
        low = min(found.mean - found.error for found in scores)
        panel.set_xlim(max(0.0, np.floor(low * 20) / 20 - 0.03), 1.0)
        panel.set_title(f"{task.name} (chance {guess:.2f})", fontsize=9)
        panel.set_xlabel(task.metric_name)
        _rows(panel, names)
    figure.suptitle(
        f"Linear probes on the static vector, {results.speakers} unheard speakers · bars: standard error over speakers",
        fontsize=10,
    )
    return figure


def _movement(results: Results) -> Figure:
    names, changes = list(results.movements), list(next(iter(results.movements.values())))
    table = np.array([[results.movements[name][change].mean for change in changes] for name in names])
    figure = _figure(2.6 + 1.0 * len(changes), 1.6 + 0.32 * len(names))
    panel = figure.subplots()
    # Logarithmic: half as far and twice as far differ from the middle alike.
    image = panel.imshow(np.log10(np.maximum(table, 1e-3)), cmap="cividis", vmin=-2, vmax=0.3, aspect="auto")
    for row, column in np.ndindex(table.shape):
        shade = "#000000" if table[row, column] > 0.25 else "#ffffff"
        panel.text(column, row, f"{table[row, column]:.2f}", ha="center", va="center", color=shade, fontsize=8.5)
    panel.set_xticks(range(len(changes)), [change.replace(", ", ",\n") for change in changes], rotation=30, ha="right")
    panel.set_yticks(range(len(names)), names)
    panel.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=panel, pad=0.01, ticks=np.log10([0.01, 0.03, 0.1, 0.3, 1.0]))
    bar.ax.set_yticklabels(["0.01", "0.03", "0.1", "0.3", "1"])
    figure.suptitle("Relative change of the standardised static vector", fontsize=10)
    return figure


def _reconstruction(results: Results) -> Figure:
    names = list(results.reconstruction)
    figure = _figure(7.0, 1.3 + 0.32 * len(names))
    panel = figure.subplots()
    for place, level in enumerate(next(iter(results.reconstruction.values()))):
        found = [results.reconstruction[name][level] for name in names]
        rows = np.arange(len(names)) + 0.18 * (2 * place - 1)
        panel.errorbar(
            [1e4 * value.mean for value in found],
            rows,
            xerr=[1e4 * value.error for value in found],
            fmt="o",
            color=COLOURS[place],
            label=f"{level} level",
            markersize=5,
            linewidth=1.4,
        )
    panel.set_xlabel("mean squared error of the standardised spectrogram, 1e-4")
    panel.set_xlim(left=0)
    _rows(panel, names)
    panel.legend(frameon=False, loc="lower right")
    figure.suptitle(
        f"Reconstruction of {results.speakers} unheard speakers · bars: standard error over speakers", fontsize=10
    )
    return figure
