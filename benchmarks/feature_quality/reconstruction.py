"""How much of the spectrogram codes keep, for speakers to whom none was fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.label_efficiency.speakers import SEED, VALIDATION
from benchmarks.sources.linearcode import LinearCode
from edgevoice.config import ModelConfig
from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.corpus import Corpus, read_corpus, split_speakers
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.data.sampler import WindowSampler

Floats = NDArray[np.float32]
Error = Callable[[Floats], Floats]
"""Spectrograms of one recording (n, 1, bands, columns) -> mean squared error by band (n, bands)."""

LEVELS = ("running", "utterance")


@dataclass(frozen=True)
class HeldOut:
    """Mean squared error of standardised spectrograms at a level."""

    mean: float
    """Over all windows of the unheard speakers."""
    error: float
    """Standard error over the speakers."""


class Speech:
    """The windows of a folder of recordings, with the preprocessing of one model."""

    def __init__(self, data: Path, config: ModelConfig, cache: Path) -> None:
        self.config = config
        self.corpus: Corpus = read_corpus(data, config.audio.rate, config.audio.window, cache=cache)
        self._preprocessing = Preprocessing.of(config)

    def training_spectrograms(self, level: str, most: int) -> Floats:
        """At most so many windows of `edgevoice-export train`'s training speakers, evenly taken: (n, 1, bands, columns)."""
        windows = self._windows(split_speakers(self.corpus.speakers, VALIDATION, SEED)[0])
        return windows.spectrograms(windows.grid(level, most))

    def held_out(
        self, level: str, errors: Mapping[str, Error], progress: Callable[[Sequence[int]], Iterable[int]] = iter
    ) -> dict[str, HeldOut]:
        """The error of each code over all windows of the folder."""
        sums: dict[str, list[float]] = {name: [] for name in errors}
        counts, speakers = [], []
        for utterance in progress(range(len(self.corpus))):
            windows = self._windows(np.array([utterance]))
            spectrograms = windows.spectrograms(windows.grid(level))
            counts.append(len(spectrograms))
            speakers.append(self.corpus.speakers[utterance])
            for name, error in errors.items():
                sums[name].append(float(error(spectrograms).mean(axis=1, dtype=np.float64).sum()))
        return {name: _over_speakers(np.array(values), np.array(counts), speakers) for name, values in sums.items()}

    def _windows(self, utterances: NDArray[np.int64]) -> WindowSampler:
        return WindowSampler(self.corpus.recordings(utterances), self._preprocessing)


def network_error(folder: ModelFolder) -> Error:
    """The error of a model's networks; one call has the spectrograms of one recording."""
    networks = Networks(folder, whole_batches=folder.config.batch_statistics)
    return lambda spectrograms: networks.decode("error", networks.encode(spectrograms), spectrograms)


def linear_error(code: LinearCode) -> Error:
    """The error of a linear code."""
    return lambda spectrograms: code.describe(spectrograms)[:, code.units :]


def band_means(spectrograms: Floats) -> Floats:
    """The error when each band is replaced by its mean in the window."""
    return np.asarray(spectrograms[:, 0].var(axis=2))


def _over_speakers(sums: NDArray[np.float64], counts: NDArray[np.int64], speakers: Sequence[str]) -> HeldOut:
    """Ratio of sums, with its standard error by the jackknife: one speaker is left out at a time."""
    mean = sums.sum() / counts.sum()
    names = np.array(speakers)
    without = np.array([sums[names != name].sum() / counts[names != name].sum() for name in sorted(set(speakers))])
    spread = np.square(without - without.mean()).sum() * (len(without) - 1) / len(without)
    return HeldOut(float(mean), float(np.sqrt(spread)))
