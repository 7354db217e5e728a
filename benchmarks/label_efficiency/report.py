"""The results as JSON, as figures, and as a page to read."""

from __future__ import annotations

import itertools
import json
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import sklearn
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.label_efficiency.trials import Curve, Trials
from edgevoice_export.publish.markdown import table

NAME = "label_efficiency_speakers"
TITLE = "Child, man or woman, from few labels"
_VIEW = "speakers that no network heard"
_METRIC = "weighted F1"
GOAL = 30  # percent of the labels up to which the learned features are to be ahead
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito's: safe for all eyes
_LINES = ("-", "--", ":")  # the same colour comes again with another line
_SHOWN = (2, 4, 10, 20, 30, 50, 100)  # percents in the page's table; all are in the JSON

_BANDS = """\
- {sizes}; {seeds} seeds. Bands are 95 % confidence intervals of the mean over the seeds (Student's t): they tell how
  much the choice of recordings and the classifier's own chance matter, not how much other test recordings would.
  Where neither is random, a band has no width.
- {versions}."""


def write(trials: Trials, method: str, folder: Path) -> Path:
    """Write JSON, figures and the page; return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    versions = {"Python": platform.python_version(), "scikit-learn": sklearn.__version__, "NumPy": np.__version__}
    content = {
        "experiment": TITLE,
        "standardised": True,
        "versions": versions,
        "percents": trials.percents,
        "seeds": trials.seeds,
        "views": [
            {
                "name": _VIEW,
                "subset": "random",
                "metric": _METRIC,
                "test_items": {features.name: len(features.test.labels) for features in trials.sets},
                "chance": {features.name: np.round(trials.chance(features), 4).tolist() for features in trials.sets},
                "scores": {
                    kind: {name: np.round(curve.scores, 4).tolist() for name, curve in trials.curves(kind).items()}
                    for kind in trials.classifiers
                },
            }
        ],
    }
    text = _join_numbers(json.dumps(content, indent=1, ensure_ascii=False))
    (folder / f"{NAME}.json").write_text(text + "\n", encoding="utf-8")

    sizes = f"{len(trials.percents)} shares of the labels, {trials.percents[0]} to {trials.percents[-1]} %"
    stated = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [f"# {TITLE}", "", *_conclusion(trials), "", "## Method", "", method]
    lines += [_BANDS.format(sizes=sizes, seeds=len(trials.seeds), versions=stated), ""]
    lines += [f"## {_VIEW[0].upper()}{_VIEW[1:]}", "", *_table(trials), "", "## Figures", ""]
    lines += [line for figure in _draw(trials, folder) for line in (f"![{figure.stem}]({figure.name})", "")]
    page = folder / f"{NAME}.md"
    page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return page


def _conclusion(trials: Trials) -> list[str]:
    hand_made, step = trials.sets[0].name, trials.percents[0]
    chosen = {features.name: trials.best(features.name, GOAL) for features in trials.sets}
    goal = max((percent for percent in trials.percents if percent <= GOAL), default=step)
    curves = {name: trials.curves(kind)[name] for name, kind in chosen.items()}
    # Harder to beat: at each share, whichever classifier is best there for the hand-made features.
    hardest = np.max([trials.curves(kind)[hand_made].mean for kind in trials.classifiers], axis=0)
    lines = [f"Each feature set with the classifier that is best for it on this test set, up to {GOAL} % of the labels:", ""]
    lines += [f"**{_VIEW[0].upper()}{_VIEW[1:]}**", ""]
    for name, curve in curves.items():
        text = f"- {name}, {chosen[name]}: {curve.at(goal):.3f} at {goal} %, {curve.at(100):.3f} at 100 %"
        if name != hand_made:
            text += f"; above the hand-made features: {spans(curve.ahead(curves[hand_made].mean), step)}; above the best of "
            text += f"all classifiers on them at each share: {spans(curve.ahead(hardest), step)}"
        lines.append(f"{text}.")
    return lines


def _table(trials: Trials) -> list[str]:
    shown = [percent for percent in _SHOWN if percent in trials.percents]
    guess, low, high = trials.chance(trials.sets[0])
    text = f"Mean and half the width of its band, by the share of the labels. Chance: {guess:.3f} ({low:.3f} to {high:.3f})."
    rows = []
    step = trials.percents[1] - trials.percents[0] if len(trials.percents) > 1 else 1
    for kind in trials.classifiers:
        curves = trials.curves(kind)
        baseline = curves[trials.sets[0].name]
        for name, curve in curves.items():
            columns = [trials.percents.index(percent) for percent in shown]
            cells = [f"{curve.mean[column]:.3f} ± {curve.band[column]:.3f}" for column in columns]
            rows.append([kind, name, *cells, "" if curve is baseline else spans(curve.ahead(baseline.mean), step)])
    head = ["classifier", "features", *(f"{percent} %" for percent in shown), "above the hand-made"]
    return [text, "", table(head, rows)]


def spans(percents: Sequence[int], step: int) -> str:
    """Percents as text, with neighbours as ranges: `10-30, 34 %`."""
    runs: list[list[int]] = []
    for percent in percents:
        if runs and percent - runs[-1][-1] == step:
            runs[-1].append(percent)
        else:
            runs.append([percent])
    words = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    return f"{', '.join(words)} %" if words else "nowhere"


def _draw(trials: Trials, folder: Path) -> list[Path]:
    """A figure for each classifier, and one with each feature set's best."""
    chosen = {features.name: trials.best(features.name, GOAL) for features in trials.sets}
    figures = {kind: trials.curves(kind) for kind in trials.classifiers}
    figures["best classifier"] = {f"{name}: {kind}": trials.curves(kind)[name] for name, kind in chosen.items()}
    return [_figure(trials, kind, curves, folder) for kind, curves in figures.items()]


def _figure(trials: Trials, kind: str, curves: Mapping[str, Curve], folder: Path) -> Path:
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        panel = figure.subplots()
        guess, low, high = trials.chance(trials.sets[0])
        panel.axhspan(low, high, color="#000000", alpha=0.07, linewidth=0)
        panel.axhline(guess, color="#000000", linestyle=":", linewidth=1, label="chance, and 95 % of guesses")
        for (line, colour), (name, curve) in zip(itertools.product(_LINES, COLOURS), curves.items(), strict=False):
            panel.plot(curve.percents, curve.mean, color=colour, linestyle=line, linewidth=1.4, label=name)
            band = np.clip([curve.mean - curve.band, curve.mean + curve.band], 0, 1)
            panel.fill_between(curve.percents, *band, color=colour, alpha=0.18, linewidth=0)
        panel.set_title(_VIEW, fontsize=9)
        panel.set(xlabel="labelled recordings used, % of each class", ylabel=_METRIC, xlim=(0, 100))
        panel.grid(axis="y", color="#000000", alpha=0.08)
        figure.suptitle(f"{TITLE} · {kind}", fontsize=10.5)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        path = folder / f"{NAME}_{kind.replace(' ', '_').lower()}.png"
        figure.savefig(path, dpi=130, metadata={"Software": ""})
    return path


def _join_numbers(text: str) -> str:
    """Put each list of numbers on one line."""
    return re.sub(
        r"\[[\d.,\s-]+\]", lambda numbers: re.sub(r"\s+", " ", numbers[0]).replace("[ ", "[").replace(" ]", "]"), text
    )
