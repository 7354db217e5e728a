"""The benchmark: every feature set through the probes, the degradations and, where it has a decoder, the reconstruction.

Probes and linear codes are fitted on one folder of recordings. All figures are of another folder, whose speakers nothing was
fitted on, trained on or chosen by.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.feature_quality.degradations import CLEAN, degraded_folders, movements, one_each
from benchmarks.feature_quality.probes import TASKS, Score, judge
from benchmarks.linearcode import LinearCode, LinearFunctionals, Spectrograms
from benchmarks.sources import (
    Functionals,
    HandMade,
    OpenSmile,
    Recording,
    Source,
    Vector,
    read_recordings,
    vectors_by_folder,
)
from edgevoice.config import ModelConfig
from edgevoice.features import FUNCTIONALS
from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.corpus import split_speakers

DEGRADED = 48
"""How many recordings are degraded, of a speaker each."""
LINEAR_UNITS = (64, 256)
LINEAR_WINDOWS = 16_000
"""The number of windows to which linear codes are fitted."""
LEVELS = ("running", "utterance")
ANOTHER = "another recording"
"""The unit of movement: the distance to another recording of the same speaker."""
PARTS = ("code", "reconstruction error")
"""The parts of the static vector of a model or a linear code, in this order."""

Bar = Callable[[Sequence[Any], str], Iterable[Any]]
"""Wraps a list, under a name, and shows a progress bar."""
Error = Callable[[Vector], Vector]
"""Spectrograms of one recording (n, 1, bands, columns) -> mean squared error by band (n, bands)."""


def run(data: Path, unheard: Path, models: Sequence[ModelFolder], work: Path, bar: Bar) -> dict[str, Any]:
    """Run the benchmark, or go on with it; return all figures, as they go into the JSON.

    Args:
        data: folder of recordings with `utterances.csv`, to fit on.
        unheard: another one, to measure on.
        models: what is compared; the first is what is judged, and the linear codes see its spectrograms, at the level
            `running`.
        work: folder to keep vectors and degraded recordings in.
        bar: progress bars.
    """
    fitted, tested = read_recordings(data), read_recordings(unheard)
    codes = _linear_codes(data, fitted, models[0].config, bar)
    first, second = one_each([recording.speaker for recording in tested], DEGRADED)
    files = [tested[place].file for place in first.tolist()]
    folders = degraded_folders(unheard, files, work)

    units = {folder.config.name: folder.config.features.bottleneck for folder in models}
    units |= {f"PCA-{code.units}": code.units for code in codes}
    sources: list[Source] = [Functionals(str(folder.path)) for folder in models]
    sources += [LinearFunctionals(code, models[0].config) for code in codes]
    sources += [OpenSmile("eGeMAPSv02"), OpenSmile("ComParE_2016"), HandMade()]
    probes = {task.name: _task_record(task.metric_name, *task.chance(tested)) for task in TASKS}
    numbers: dict[str, int] = {}
    moved: dict[str, Any] = {"movement": {}, "movement_clipped": {}, "movement_of_parts": {part: {} for part in PARTS}}
    judged: dict[str, Score] = {}
    for source in sources:

        def vectors(folder: Path, names: Sequence[str], source: Source = source) -> Vector:
            return vectors_by_folder(source, folder, names, work / "vectors", lambda items: bar(items, source.name))

        name = source.name
        corpus = vectors(data, [recording.file for recording in fitted])
        measured = vectors(unheard, [recording.file for recording in tested])
        numbers[name] = corpus.shape[1]
        for task in bar(TASKS, f"probes of {name}"):
            _, found = judge(task, fitted, corpus, tested, measured)
            probes[task.name]["scores"][name] = {"mean": found.mean, "error": found.error}
            gap, error = judged.setdefault(task.name, found).ahead(found)
            probes[task.name]["ahead"][name] = {"mean": gap, "error": error}

        changed = {change: vectors(folder, files) for change, folder in folders.items()} | {ANOTHER: measured[second]}
        clean = changed.pop(CLEAN)
        moved["movement"][name] = movements(corpus, clean, changed)
        moved["movement_clipped"][name] = movements(corpus, clean, changed, clipped=True)
        if name in units:
            border = len(FUNCTIONALS) * units[name]
            for part, of_part in zip(PARTS, (np.s_[:, :border], np.s_[:, border:]), strict=True):
                part_changed = {change: rows[of_part] for change, rows in changed.items()}
                moved["movement_of_parts"][part][name] = movements(corpus[of_part], clean[of_part], part_changed)
    errors, other = _errors(models, codes)
    return {
        "settings": {"degraded": DEGRADED, "linear_windows": LINEAR_WINDOWS},
        "fitted_on": _count(fitted),
        "measured_on": _count(tested),
        "models": {folder.config.name: dict(folder.config.files) for folder in models},
        "numbers": numbers,
        "probes": probes,
        **moved,
        "reconstruction": _reconstruction(unheard, tested, errors, models[0].config, bar),
        "not_comparable": other,
    }


def _count(recordings: Sequence[Recording]) -> dict[str, int]:
    return {"recordings": len(recordings), "speakers": len({recording.speaker for recording in recordings})}


def _task_record(metric: str, chance: float, deviation: float) -> dict[str, Any]:
    return {"metric": metric, "chance": {"mean": chance, "deviation": deviation}, "scores": {}, "ahead": {}}


def _linear_codes(data: Path, recordings: Sequence[Recording], config: ModelConfig, bar: Bar) -> list[LinearCode]:
    """Linear codes of the training speakers of `edgevoice-export train`, with its defaults."""
    training, _ = split_speakers(tuple(recording.speaker for recording in recordings), 0.1, 0)
    paths = [data / recordings[place].file for place in training.tolist()]
    code = LinearCode.fit(Spectrograms(config).sampled(bar(paths, "linear code"), LINEAR_WINDOWS), max(LINEAR_UNITS))
    return [code.of(units) for units in LINEAR_UNITS]


def _errors(models: Sequence[ModelFolder], codes: Sequence[LinearCode]) -> tuple[dict[str, Error], list[str]]:
    """The codes that can be compared, and the names of the models that see another spectrogram."""
    seen, errors, other = models[0].config, dict[str, Error](), []
    for folder in models:
        # A floor below that of the others says nothing about a network: all are given the same spectrograms.
        spectrogram = dataclasses.replace(folder.config.spectrogram, logarithm=seen.spectrogram.logarithm)
        if (spectrogram, folder.config.audio) == (seen.spectrogram, seen.audio):
            errors[folder.config.name] = _network_error(folder)
        else:
            other.append(folder.config.name)
    errors |= {f"PCA-{code.units}": lambda rows, code=code: code.describe(rows)[:, code.units :] for code in codes}
    return errors | {"mean of each band": lambda rows: rows[:, 0].var(axis=2)}, other


def _network_error(folder: ModelFolder) -> Error:
    networks = Networks(folder, whole_batches=folder.config.batch_statistics)
    return lambda rows: networks.decode("error", networks.encode(rows), rows)


def _reconstruction(
    folder: Path, recordings: Sequence[Recording], errors: Mapping[str, Error], config: ModelConfig, bar: Bar
) -> dict[str, dict[str, Any]]:
    """The error of each code at each level, over all windows of a folder, with its standard error over the speakers."""
    found: dict[str, dict[str, Any]] = {name: {} for name in errors}
    for level in LEVELS:
        spectrograms = Spectrograms(config, level)
        sums: dict[str, list[float]] = {name: [] for name in errors}
        counts = []
        for recording in bar(recordings, f"{level} level"):
            rows = spectrograms(folder / recording.file)
            counts.append(len(rows))
            for name, error in errors.items():
                sums[name].append(float(error(rows).mean(axis=1, dtype=np.float64).sum()))
        speakers = np.array([recording.speaker for recording in recordings])
        for name, values in sums.items():
            found[name][level] = _over_speakers(np.array(values), np.array(counts), speakers)
    return found


def _over_speakers(sums: NDArray[np.float64], counts: NDArray[np.int64], speakers: NDArray[np.str_]) -> dict[str, float]:
    """Ratio of sums, with its standard error by the jackknife: one speaker is left out at a time."""
    without = np.array([sums[speakers != name].sum() / counts[speakers != name].sum() for name in np.unique(speakers)])
    spread = np.square(without - without.mean()).sum() * (len(without) - 1) / len(without)
    return {"mean": float(sums.sum() / counts.sum()), "error": float(np.sqrt(spread))}
