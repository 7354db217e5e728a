"""The figures as JSON, as pictures, and as a page to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from platform import python_version
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.feature_quality.degradations import MIDDLE
from benchmarks.feature_quality.experiment import ANOTHER, LEVELS
from benchmarks.feature_quality.probes import DRAWS, FOLDS, STRENGTHS
from benchmarks.sources import ADULT
from edgevoice.bench.machine import Machine
from edgevoice_export.publish.markdown import table

NAME = "feature_quality"
_PACKAGES = ("edgevoice", "numpy", "onnxruntime", "scikit-learn", "soundfile", "soxr", "opensmile", "pyAudioAnalysis")
_STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
_COLOURS = ("#d55e00", "#0072b2")  # of Okabe and Ito: safe for all eyes

_METHOD = """\
- Made by `python -m benchmarks.feature_quality` (`--help` tells of its options) from two folders of recordings with a table
  `utterances.csv` of their speakers' gender and age: one to fit on, one to measure on.
- Every figure is of {measured[recordings]} recordings of {measured[speakers]} speakers, none of whom is among the
  {fitted[speakers]} of the {fitted[recordings]} recordings that were fitted on. No network was trained on them or chosen by
  them. Adults are {adult} and over.
- The static vector of a model or of a linear code is mean, standard deviation, skewness and kurtosis over a recording's
  windows of each number of the code and of each band's reconstruction error, at the model's own level. eGeMAPSv02,
  ComParE_2016: openSMILE's functionals. pyAudioAnalysis: its mid-term features, averaged over the recording.
- Probes: logistic regression on standardised features, classes weighted by their frequency, fitted on the recordings to fit
  on, with the C ({strengths}) that has the best score in a cross-validation over {folds} parts of their speakers. Standard
  errors: {draws} times, as many speakers are drawn with replacement; chance is guessing each class as often.
- The networks `{own}` and so on are trained, and the linear codes fitted ({windows} windows), on recordings of the corpus to
  fit on, without labels, and on others; DisVoice's on others.
- Movement: |z' - z| / |z|, where z is the vector with each dimension's mean 0 and variance 1 over the recordings to fit on;
  mean and standard error over {moved} recordings, each of another speaker. Recordings louder than a quarter of full scale
  are first turned down to it, so that +12 dB does not clip. Noise is white; the telephone band is 300 to 3400 Hz by way of
  8 kHz; the codecs are libsndfile's. "{another}" is how far another recording of the same speaker lies, with other words:
  what a change is small or large against.
- Reconstruction: every network and linear code is given the same spectrograms (those of `{own}`, its floor included).
  Linear codes are fitted at `running` level. Standard errors leave out one speaker at a time.
- Python {python}; {versions}."""

_CLIPPED = f"""\
The same, standardised over the corpus without its extremes (each dimension clipped at its {MIDDLE[0]}th and {MIDDLE[1]}th
percentile). A set of which a few recordings have wild values looks still in the table above, for all is measured against
those:"""

Figures = dict[str, Any]
Moved = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By feature set, then by change, then mean and error."""


def write(found: Figures, folder: Path) -> Path:
    """Write JSON, pictures and the page; return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_rounded(found), indent=1, ensure_ascii=False)
    (folder / f"{NAME}.json").write_text(text + "\n", encoding="utf-8")
    pictures = []
    for kind, draw in {"probes": _draw_probes, "movement": _draw_movement, "reconstruction": _draw_reconstruction}.items():
        with mpl.rc_context(_STYLE):
            pictures.append(folder / f"{NAME}_{kind}.png")
            draw(found).savefig(pictures[-1], dpi=130, metadata={"Software": ""})
    first, speakers = next(iter(found["models"])), found["measured_on"]["speakers"]
    lines = [
        "# What the features are worth",
        "",
        f"What is judged is `{first}`, on {speakers} speakers that no network has heard; ± is one standard error.",
        "",
    ]
    lines += ["## Who is speaking?", "", _probe_table(found), "", *_ahead(found, first), ""]
    lines += ["## How far does the vector move?", "", _movement_table(found["movement"]), "", *_stiller(found, first), ""]
    lines += [_CLIPPED, "", _movement_table(found["movement_clipped"]), ""]
    for part, moved in found["movement_of_parts"].items():
        lines += [f"The functionals of the {part} alone:", "", _movement_table(moved), ""]
    lines += ["## How much of the spectrogram is kept?", "", *_reconstruction_table(found), ""]
    lines += ["## Method", "", _method(found, first), "", "## Figures", ""]
    lines += [line for picture in pictures for line in (f"![{picture.stem}]({picture.name})", "")]
    page = folder / f"{NAME}.md"
    page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return page


def _cell(value: Mapping[str, float], sign: str = "") -> str:
    return f"{value['mean']:{sign}.3f} ± {value.get('error', value.get('deviation')):.3f}"


def _probe_table(found: Figures) -> str:
    tasks = found["probes"].values()
    rows = [[name, str(count), *(_cell(task["scores"][name]) for task in tasks)] for name, count in found["numbers"].items()]
    rows.append(["chance", "", *(_cell(task["chance"]) for task in tasks)])
    return table(["features", "numbers", *(f"{name}, {task['metric']}" for name, task in found["probes"].items())], rows)


def _ahead(found: Figures, first: str) -> list[str]:
    others = [name for name in found["numbers"] if name != first]
    rows = [[name, *(_cell(task["ahead"][name], "+") for task in found["probes"].values())] for name in others]
    text = f"How far `{first}` is ahead, on the same drawings of speakers:"
    return [text, "", table(["of", *found["probes"]], rows)]


def _movement_table(moved: Moved) -> str:
    return table(["features", *next(iter(moved.values()))], [[name, *map(_cell, by.values())] for name, by in moved.items()])


def _stiller(found: Figures, first: str) -> list[str]:
    lines = []
    own = found["movement"][first]
    for name, by in found["movement"].items():
        if name != first:
            farther = [change for change in own if change != ANOTHER and own[change]["mean"] >= by[change]["mean"]]
            text = f"`{first}` moves as far or farther under {', '.join(farther)}" if farther else "less in every column"
            lines.append(f"- Against {name}: {text}.")
    return lines


def _reconstruction_table(found: Figures) -> list[str]:
    rows = []
    for name, by in found["reconstruction"].items():
        cells = [f"{1e4 * by[level]['mean']:.2f} ± {1e4 * by[level]['error']:.2f}" for level in LEVELS]
        rows.append([name, *cells, f"{by['running']['mean'] / by['utterance']['mean']:.3f}"])
    lines = [table(["code", *(f"`{level}` level, 1e-4" for level in LEVELS), "running / utterance"], rows)]
    other = found["not_comparable"]
    return [*lines, "", f"Not compared, for it sees another spectrogram: {', '.join(other)}."] if other else lines


def _method(found: Figures, first: str) -> str:
    return _METHOD.format(
        measured=found["measured_on"],
        fitted=found["fitted_on"],
        adult=ADULT,
        folds=FOLDS,
        strengths=", ".join(f"{strength:g}" for strength in STRENGTHS),
        draws=DRAWS,
        own=first,
        windows=found["settings"]["linear_windows"],
        moved=found["settings"]["degraded"],
        another=ANOTHER,
        python=python_version(),
        versions=", ".join(f"{name} {number}" for name, number in Machine.this(_PACKAGES).packages.items()),
    )


def _rounded(content: Any) -> Any:
    """Four significant digits for every number."""
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    return float(f"{content:.4g}") if isinstance(content, float) else content


def _new_figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _name_rows(panel: Any, names: list[str]) -> None:
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.grid(axis="x", color="#000000", alpha=0.08)


def _draw_probes(found: Figures) -> Figure:
    names = list(found["numbers"])
    figure = _new_figure(10.5, 1.3 + 0.28 * len(names))
    for panel, (title, task) in zip(
        figure.subplots(1, len(found["probes"]), sharey=True), found["probes"].items(), strict=True
    ):
        mean, error = (np.array([task["scores"][name][key] for name in names]) for key in ("mean", "error"))
        for row in range(len(names)):
            colour = _COLOURS[row > 0]
            panel.errorbar(mean[row], row, xerr=error[row], fmt="o", color=colour, markersize=5, linewidth=1.4)
        panel.set_xlim(max(0.0, np.floor((mean - error).min() * 20) / 20 - 0.03), 1.0)
        panel.set_title(f"{title} (chance {task['chance']['mean']:.2f})", fontsize=9)
        panel.set_xlabel(task["metric"])
        _name_rows(panel, names)
    speakers = found["measured_on"]["speakers"]
    text = f"Linear probes on the static vector, {speakers} unheard speakers · bars: standard error over speakers"
    figure.suptitle(text, fontsize=10)
    return figure


def _draw_movement(found: Figures) -> Figure:
    names, changes = list(found["movement"]), list(next(iter(found["movement"].values())))
    values = np.array([[found["movement"][name][change]["mean"] for change in changes] for name in names])
    figure = _new_figure(2.6 + 1.0 * len(changes), 1.6 + 0.32 * len(names))
    panel = figure.subplots()
    # Logarithmic: half as far and twice as far differ from the middle alike.
    image = panel.imshow(np.log10(np.maximum(values, 1e-3)), cmap="cividis", vmin=-2, vmax=0.3, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        shade = "#000000" if value > 0.25 else "#ffffff"
        panel.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade, fontsize=8.5)
    panel.set_xticks(range(len(changes)), [change.replace(", ", ",\n") for change in changes], rotation=30, ha="right")
    panel.set_yticks(range(len(names)), names)
    panel.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=panel, pad=0.01, ticks=np.log10([0.01, 0.03, 0.1, 0.3, 1.0]))
    bar.ax.set_yticklabels(["0.01", "0.03", "0.1", "0.3", "1"])
    figure.suptitle("Relative change of the standardised static vector", fontsize=10)
    return figure


def _draw_reconstruction(found: Figures) -> Figure:
    names = list(found["reconstruction"])
    figure = _new_figure(7.0, 1.3 + 0.32 * len(names))
    panel = figure.subplots()
    for place, level in enumerate(LEVELS):
        mean, error = ([1e4 * found["reconstruction"][name][level][key] for name in names] for key in ("mean", "error"))
        rows = np.arange(len(names)) + 0.18 * (2 * place - 1)
        look = {"fmt": "o", "color": _COLOURS[place], "markersize": 5, "linewidth": 1.4}
        panel.errorbar(mean, rows, xerr=error, label=f"{level} level", **look)
    panel.set_xlabel("mean squared error of the standardised spectrogram, 1e-4")
    panel.set_xlim(left=0)
    _name_rows(panel, names)
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    speakers = found["measured_on"]["speakers"]
    figure.suptitle(f"Reconstruction of {speakers} unheard speakers · bars: standard error over speakers", fontsize=10)
    return figure
