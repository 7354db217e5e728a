"""The results as JSON, and as a page to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from benchmarks.feature_quality.degradations import MIDDLE, Movement
from benchmarks.feature_quality.experiment import ANOTHER, Results
from benchmarks.feature_quality.probes import FOLDS, STRENGTHS, TASKS
from benchmarks.feature_quality.reconstruction import LEVELS
from benchmarks.sources.recordings import ADULT
from edgevoice_export.publish.markdown import table

_DISTRIBUTIONS = ("edgevoice", "numpy", "onnxruntime", "scikit-learn", "soundfile", "soxr", "opensmile", "pyAudioAnalysis")

_METHOD = """\
- Made by `python -m benchmarks.feature_quality` (`--help` tells of its options) from two folders of recordings with a table
  `utterances.csv` of their speakers' gender and age: one to fit on, one to measure on.
- Every figure is of {recordings} recordings of {speakers} speakers, none of whom is among the {fitted_speakers} of the
  {fitted} recordings that were fitted on. No network was trained on them or chosen by them. Adults are {adult} and over.
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


def write_json(results: Results, path: Path) -> None:
    """Write every figure."""
    content: dict[str, Any] = {
        "settings": asdict(results.settings),
        "measured_on": {"recordings": len(results.recordings), "speakers": results.speakers},
        "versions": _versions(),
        "models": {folder.config.name: dict(folder.config.files) for folder in results.models},
        "probes": {
            task.name: {
                "metric": task.metric_name,
                "chance": dict(zip(("mean", "deviation"), results.chance[task.name], strict=True)),
                "scores": {
                    name: {"mean": found.mean, "error": found.error} for name, found in results.scores[task.name].items()
                },
            }
            for task in TASKS
        },
        "movement": _movement_record(results.movements),
        "movement_clipped": _movement_record(results.clipped_movements),
        "movement_of_parts": {part: _movement_record(moved) for part, moved in results.part_movements.items()},
        "reconstruction": {
            name: {level: asdict(found) for level, found in by.items()} for name, by in results.reconstruction.items()
        },
    }
    path.write_text(json.dumps(_rounded(content), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_page(results: Results, figures: Sequence[Path], path: Path) -> None:
    """Write the page: tables, what they say, method, figures."""
    first = results.models[0].config.name
    lines = [
        "# What the features are worth",
        "",
        f"What is judged is `{first}`, on {results.speakers} speakers that no network has heard; ± is one standard error.",
        "",
    ]
    lines += ["## Who is speaking?", "", _probe_table(results), "", *_ahead(results, first), ""]
    lines += ["## How far does the vector move?", "", _movement_table(results.movements), "", *_stiller(results, first), ""]
    lines += [_CLIPPED, "", _movement_table(results.clipped_movements), ""]
    for part, moved in results.part_movements.items():
        lines += [f"The functionals of the {part} alone:", "", _movement_table(moved), ""]
    lines += ["## How much of the spectrogram is kept?", "", *_reconstruction_table(results), ""]
    lines += ["## Method", "", _method(results), "", "## Figures", ""]
    lines += [line for figure in figures for line in (f"![{figure.stem}]({figure.name})", "")]
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _probe_table(results: Results) -> str:
    rows = []
    for name, count in results.dimensions.items():
        found = [results.scores[task.name][name] for task in TASKS]
        rows.append([name, str(count), *(f"{score.mean:.3f} ± {score.error:.3f}" for score in found)])
    chance = [results.chance[task.name] for task in TASKS]
    rows.append(["chance", "", *(f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in chance)])
    return table(["features", "numbers", *(f"{task.name}, {task.metric_name}" for task in TASKS)], rows)


def _ahead(results: Results, first: str) -> list[str]:
    rows = []
    for name in results.dimensions:
        if name != first:
            cells = []
            for task in TASKS:
                gap, error = results.scores[task.name][first].ahead(results.scores[task.name][name])
                cells.append(f"{gap:+.3f} ± {error:.3f}")
            rows.append([name, *cells])
    text = f"How far `{first}` is ahead, on the same drawings of speakers:"
    return [text, "", table(["of", *(task.name for task in TASKS)], rows)]


def _movement_record(moved: Mapping[str, Mapping[str, Movement]]) -> dict[str, dict[str, Any]]:
    return {name: {change: asdict(found) for change, found in by.items()} for name, by in moved.items()}


def _movement_table(moved: Mapping[str, Mapping[str, Movement]]) -> str:
    changes = list(next(iter(moved.values())))
    rows = [[name, *(f"{by[change].mean:.3f} ± {by[change].error:.3f}" for change in changes)] for name, by in moved.items()]
    return table(["features", *changes], rows)


def _stiller(results: Results, first: str) -> list[str]:
    lines = []
    own = results.movements[first]
    for name, by in results.movements.items():
        if name != first:
            farther = [change for change in own if change != ANOTHER and own[change].mean >= by[change].mean]
            text = f"`{first}` moves as far or farther under {', '.join(farther)}" if farther else "less in every column"
            lines.append(f"- Against {name}: {text}.")
    return lines


def _reconstruction_table(results: Results) -> list[str]:
    rows = []
    for name, by in results.reconstruction.items():
        cells = [f"{1e4 * by[level].mean:.2f} ± {1e4 * by[level].error:.2f}" for level in LEVELS]
        rows.append([name, *cells, f"{by['running'].mean / by['utterance'].mean:.3f}"])
    lines = [table(["code", *(f"`{level}` level, 1e-4" for level in LEVELS), "running / utterance"], rows)]
    other = results.not_comparable
    return [*lines, "", f"Not compared, for it sees another spectrogram: {', '.join(other)}."] if other else lines


def _method(results: Results) -> str:
    settings = results.settings
    return _METHOD.format(
        recordings=len(results.recordings),
        speakers=results.speakers,
        fitted=len(results.fitted),
        fitted_speakers=len({recording.speaker for recording in results.fitted}),
        adult=ADULT,
        folds=FOLDS,
        strengths=", ".join(f"{strength:g}" for strength in STRENGTHS),
        draws=len(next(iter(next(iter(results.scores.values())).values())).draws),
        own=results.models[0].config.name,
        windows=settings.linear_windows,
        moved=settings.stability_recordings,
        another=ANOTHER,
        python=python_version(),
        versions=", ".join(f"{name} {number}" for name, number in _versions().items()),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _rounded(content: Any) -> Any:
    """Four significant digits for every number."""
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return float(f"{content:.4g}") if isinstance(content, float) else content
