"""The benchmark: every feature set through the probes, the degradations and, where it has a decoder, the reconstruction.

Probes and linear codes are fitted on one folder of recordings. All figures are of another folder, whose speakers nothing was
fitted on, trained on or chosen by.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.feature_quality.degradations import CLEAN, Movement, degraded_folders, movements, one_each
from benchmarks.feature_quality.probes import TASKS, Probes, Score, guessing, score
from benchmarks.feature_quality.reconstruction import (
    LEVELS,
    Error,
    HeldOut,
    Speech,
    band_means,
    linear_error,
    network_error,
)
from benchmarks.sources.handmade import HandMade, OpenSmile
from benchmarks.sources.linearcode import LinearCode, LinearFunctionals
from benchmarks.sources.models import Functionals
from benchmarks.sources.recordings import Recording, read_recordings
from benchmarks.sources.vectors import Named, Source, vectors_by_folder
from edgevoice.features import FUNCTIONALS
from edgevoice.modelfolder import ModelFolder

ANOTHER = "another recording"
"""The unit of movement: the distance to another recording of the same speaker."""

PARTS = ("code", "reconstruction error")
"""The parts of the static vector of a model or a linear code, in this order."""

MovementTable = dict[str, dict[str, Movement]]
"""By feature set, then by degradation."""

Vectors = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
"""By feature set: of the recordings to fit on, and of those to measure on, (recordings, dimensions) each."""

Bar = Callable[[Sequence[Any], str], Iterable[Any]]
"""Wraps a list, under a name, and shows a progress bar."""


@dataclass(frozen=True)
class Settings:
    """How much is computed."""

    stability_recordings: int = 48
    linear_units: tuple[int, ...] = (64, 256)
    linear_windows: int = 16_000
    """The number of windows to which linear codes are fitted."""


@dataclass(frozen=True)
class Results:
    """The results. Feature sets are in the requested order; the first is the one that is judged."""

    settings: Settings
    fitted: tuple[Recording, ...]
    """The recordings to which probes and linear codes were fitted."""
    recordings: tuple[Recording, ...]
    """The recordings on which everything was measured."""
    models: tuple[ModelFolder, ...]
    dimensions: dict[str, int]
    """The size of the static vector of each feature set."""
    scores: dict[str, dict[str, Score]]
    """By task, then by feature set."""
    chance: dict[str, tuple[float, float]]
    """The score of guessing for each task, with its standard deviation."""
    movements: MovementTable
    part_movements: dict[str, MovementTable]
    """By part of the vector (`PARTS`): for sets that have those parts."""
    clipped_movements: MovementTable
    """As `movements`, standardised over the corpus without its extremes."""
    reconstruction: dict[str, dict[str, HeldOut]]
    """By code, then by level."""
    not_comparable: tuple[str, ...]
    """Models that have another kind of spectrogram."""

    @property
    def speakers(self) -> int:
        """The number of speakers on whom everything was measured."""
        return len({recording.speaker for recording in self.recordings})


def run(data: Path, unheard: Path, models: Sequence[ModelFolder], settings: Settings, work: Path, bar: Bar) -> Results:
    """Run the benchmark, or go on with it.

    Args:
        data: folder of recordings with `utterances.csv`, to fit on.
        unheard: another one, to measure on.
        models: what is compared; the linear codes see the first one's spectrograms, at the level `running`.
        settings: how much is done.
        work: folder to keep what was computed in.
        bar: progress bars.
    """
    fitted, tested = read_recordings(data), read_recordings(unheard)
    probes = Probes(fitted, tested, work / "probes")
    speech = Speech(data, models[0].config, work / "corpora")
    codes = _linear_codes(speech, settings, work)
    sources: list[Source] = [Named(folder.config.name, Functionals(str(folder.path))) for folder in models]
    sources += [LinearFunctionals(code, speech.config) for code in codes]
    sources += [OpenSmile("eGeMAPSv02"), OpenSmile("ComParE_2016"), Named("pyAudioAnalysis", HandMade())]

    def vectors_of(source: Source, folder: Path, recordings: Sequence[Recording]) -> NDArray[np.float32]:
        files = [recording.file for recording in recordings]
        return vectors_by_folder(source, folder, files, work / "vectors", _labelled(bar, source.name))

    vectors = {source.name: (vectors_of(source, data, fitted), vectors_of(source, unheard, tested)) for source in sources}
    units = {folder.config.name: folder.config.features.bottleneck for folder in models}
    units |= {f"PCA-{code.units}": code.units for code in codes}
    moved, part_moved, clipped = _movements(unheard, tested, sources, vectors, units, settings, work, bar)
    measured = Speech(unheard, models[0].config, work / "corpora")
    errors, other = _errors(models, codes, measured)
    held_out = {level: measured.held_out(level, errors, _labelled(bar, f"{level} level")) for level in LEVELS}
    return Results(
        settings=settings,
        fitted=tuple(fitted),
        recordings=tuple(tested),
        models=tuple(models),
        dimensions={name: rows.shape[1] for name, (rows, _) in vectors.items()},
        scores={task.name: _scores(probes, place, vectors, bar) for place, task in enumerate(TASKS)},
        chance={task.name: guessing(_asked(task.labels(tested)), task.metric) for task in TASKS},
        movements=moved,
        part_movements=part_moved,
        clipped_movements=clipped,
        reconstruction={name: {level: held_out[level][name] for level in LEVELS} for name in errors},
        not_comparable=tuple(other),
    )


def _labelled(bar: Bar, name: str) -> Callable[[Sequence[Any]], Iterable[Any]]:
    return lambda items: bar(items, name)


def _linear_codes(speech: Speech, settings: Settings, work: Path) -> list[LinearCode]:
    made_from = (speech.corpus.digest, speech.config.spectrogram, speech.config.level, settings.linear_windows)
    most = max(settings.linear_units)
    kept = work / f"linear-{most}-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]}.npz"
    if not kept.is_file():
        work.mkdir(parents=True, exist_ok=True)
        LinearCode.fit(speech.training_spectrograms("running", settings.linear_windows), most).save(kept)
    code = LinearCode.load(kept)
    return [code.of(units) for units in settings.linear_units]


def _scores(probes: Probes, place: int, vectors: Vectors, bar: Bar) -> dict[str, Score]:
    task = TASKS[place]
    labels = task.labels(probes.tested)
    speakers = [recording.speaker for recording, label in zip(probes.tested, labels, strict=True) if label >= 0]
    return {
        name: score(_asked(labels), probes.run(*vectors[name], task), speakers, task.metric)
        for name in bar(list(vectors), task.name)
    }


def _asked(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    return labels[labels >= 0]


def _movements(
    folder: Path,
    recordings: Sequence[Recording],
    sources: Sequence[Source],
    vectors: Vectors,
    units: Mapping[str, int],
    settings: Settings,
    work: Path,
    bar: Bar,
) -> tuple[MovementTable, dict[str, MovementTable], MovementTable]:
    """Movements of whole vectors, of their parts where `units` tells how many numbers the code has, and clipped."""
    first, second = one_each([recording.speaker for recording in recordings], settings.stability_recordings)
    files = [recordings[place].file for place in first.tolist()]
    folders = degraded_folders(folder, files, work)
    moved, clipped, part_moved = {}, {}, {part: MovementTable() for part in PARTS}
    for source in bar(list(sources), "degradations"):
        changed = {name: vectors_by_folder(source, place, files, work / "vectors") for name, place in folders.items()}
        clean = changed.pop(CLEAN)
        corpus, measured = vectors[source.name]
        changed[ANOTHER] = measured[second]
        moved[source.name] = movements(corpus, clean, changed)
        clipped[source.name] = movements(corpus, clean, changed, clipped=True)
        if source.name in units:
            border = len(FUNCTIONALS) * units[source.name]
            for part, of_part in zip(PARTS, (np.s_[:, :border], np.s_[:, border:]), strict=True):
                part_changed = {name: rows[of_part] for name, rows in changed.items()}
                part_moved[part][source.name] = movements(corpus[of_part], clean[of_part], part_changed)
    return moved, part_moved, clipped


def _errors(
    models: Sequence[ModelFolder], codes: Sequence[LinearCode], speech: Speech
) -> tuple[dict[str, Error], list[str]]:
    """The codes that can be compared, and the names of the models that see another spectrogram."""
    seen, errors, other = speech.config, dict[str, Error](), []
    for folder in models:
        # A floor below that of the others says nothing about a network: all are given the same spectrograms.
        spectrogram = dataclasses.replace(folder.config.spectrogram, logarithm=seen.spectrogram.logarithm)
        if (spectrogram, folder.config.audio) == (seen.spectrogram, seen.audio):
            errors[folder.config.name] = network_error(folder)
        else:
            other.append(folder.config.name)
    errors |= {f"PCA-{code.units}": linear_error(code) for code in codes}
    return errors | {"mean of each band": band_means}, other
