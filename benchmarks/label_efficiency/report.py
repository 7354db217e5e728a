"""The results as JSON, and as a page to read."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import sklearn

from benchmarks.label_efficiency.experiment import Results, View
from benchmarks.label_efficiency.scores import spans
from edgevoice_export.publish.markdown import table

_BANDS = """\
- {sizes}; {seeds} seeds. Bands are 95 % confidence intervals of the mean over the seeds (Student's t): they tell how
  much the choice of recordings and the classifier's own chance matter, not how much other test recordings would.
  Where neither is random, a band has no width.
- {versions}."""
_SHOWN = (2, 4, 10, 20, 30, 50, 100)  # percents in the page's tables; all are in the JSON


def write_json(results: Results, folder: Path) -> Path:
    """Write every score: one list a seed, one number a percent."""
    experiment = results.experiment
    content = {
        "experiment": experiment.title,
        "standardised": experiment.standardise,
        "versions": _versions(),
        "percents": results.percents,
        "seeds": results.seeds,
        "views": [_view(results, view) for view in experiment.views],
    }
    path = folder / f"{experiment.name}.json"
    path.write_text(_join_numbers(json.dumps(content, indent=1, ensure_ascii=False)) + "\n", encoding="utf-8")
    return path


def write_page(results: Results, figures: list[Path], folder: Path) -> Path:
    """Write the page: conclusion, notes, a table for each view, figures."""
    experiment = results.experiment
    sizes = f"{len(results.percents)} shares of the labels, {results.percents[0]} to {results.percents[-1]} %"
    lines = [f"# {experiment.title}", "", experiment.conclude(results), "", "## Method", "", experiment.method]
    lines += [_BANDS.format(sizes=sizes, seeds=len(results.seeds), versions=_versions_line()), ""]
    for view in experiment.views:
        lines += [f"## {view.name[0].upper()}{view.name[1:]}", "", *_table(results, view), ""]
    lines += ["## Figures", ""]
    lines += [line for figure in figures for line in (f"![{figure.stem}]({figure.name})", "")]
    path = folder / f"{experiment.name}.md"
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path


def _table(results: Results, view: View) -> list[str]:
    experiment = results.experiment
    shown = [percent for percent in _SHOWN if percent in results.percents]
    guess, low, high = results.chance(view, experiment.sets[0])
    text = f"Mean and half the width of its band, by the share of the labels. Chance: {guess:.3f} ({low:.3f} to {high:.3f})."
    rows = []
    step = results.percents[1] - results.percents[0] if len(results.percents) > 1 else 1
    for kind in results.classifiers:
        curves = results.curves(view, kind)
        baseline = curves[experiment.sets[0].name]
        for name, curve in curves.items():
            columns = [results.percents.index(percent) for percent in shown]
            cells = [f"{curve.mean[column]:.3f} ± {curve.band[column]:.3f}" for column in columns]
            ahead = "" if curve is baseline else spans(curve.ahead(baseline), step)
            rows.append([kind, name, *cells, ahead])
    head = ["classifier", "features", *(f"{percent} %" for percent in shown), "above the hand-made"]
    return [text, "", table(head, rows)]


def _view(results: Results, view: View) -> dict[str, Any]:
    sets = results.experiment.sets
    return {
        "name": view.name,
        "subset": "random",
        "metric": view.metric,
        "test_items": {features.name: len(features.test) for features in sets},
        "chance": {features.name: np.round(results.chance(view, features), 4).tolist() for features in sets},
        "scores": {
            kind: {name: np.round(curve.scores, 4).tolist() for name, curve in results.curves(view, kind).items()}
            for kind in results.classifiers
        },
    }


def _versions() -> dict[str, str]:
    return {"Python": platform.python_version(), "scikit-learn": sklearn.__version__, "NumPy": np.__version__}


def _versions_line() -> str:
    return ", ".join(f"{name} {version}" for name, version in _versions().items())


def _join_numbers(text: str) -> str:
    """Put each list of numbers on one line."""
    return re.sub(
        r"\[[\d.,\s-]+\]", lambda numbers: re.sub(r"\s+", " ", numbers[0]).replace("[ ", "[").replace(" ]", "]"), text
    )
