"""A recording on its way through a batcher."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from edgevoice.audio.files import AudioSource, resampled
from edgevoice.batcher import Batcher
from edgevoice.config import SILENCE
from edgevoice.errors import AudioTooShortError, EdgeVoiceWarning
from edgevoice.features import FeatureBuffer, Features
from edgevoice.levels import Level, find_level
from edgevoice.recipe import Reading

if TYPE_CHECKING:
    from edgevoice.extractor import Extractor


class Extraction:
    """One recording whose windows a batcher computes, perhaps together with those of others.

    Args:
        extractor: what computes.
        source: the open recording.
        reading: how it is read; its channel is a number or None.
        batcher: one of the extractor's.
    """

    def __init__(self, extractor: Extractor, source: AudioSource, reading: Reading, batcher: Batcher) -> None:
        self._extractor, self._source, self._reading = extractor, source, reading
        channel = None if isinstance(reading.channel, str) else reading.channel
        level = find_level(reading.level, extractor.config.level)
        if level.needs_whole:
            level = _with_statistics(level, source, extractor.config.audio.rate, channel)
        self.stream = extractor.open_stream(batcher, level, reading.hop, source.rate, source.channels, channel)
        """The owner of its windows in the batcher."""
        self._buffer = FeatureBuffer(extractor.layout)
        self._peak = 0.0  # the largest sample over all channels of a source that has several
        self._finished = False

    def read(self) -> Iterator[float]:
        """Read the recording to its end; gives the seconds of audio of each block, after its windows were put."""
        source, stream = self._source, self.stream
        for block in source.blocks():
            if source.channels > 1 and len(block):
                self._peak = max(self._peak, float(block.max()))
            stream.push(block)
            yield len(block) / source.rate
        stream.finish(pad=self._reading.pad)
        self._finished = True

    def add(self, features: Features) -> None:
        """Take the next features that the batcher gives to `stream`."""
        self._buffer.add(features)

    @property
    def complete(self) -> bool:
        """Whether the recording is read, and all its features are here."""
        return self._finished and len(self._buffer) == self.stream.frames

    def features(self) -> Features:
        """The features of the whole recording, once it is complete.

        Raises:
            AudioTooShortError: it has no window.
        """
        source, reading, layout = self._source, self._reading, self._extractor.layout
        values, facts = self._buffer.arrays()
        if not len(values):
            seconds, window = self.stream.position / source.rate, layout.window / layout.rate
            found = f"{seconds:.3f} s, less than one window of {window:g} s; pad fills it up with zeros"
            if not seconds:
                found = f"no samples from {source.first / source.rate:g} s on" if source.first else "no samples"
            raise AudioTooShortError(f"{source.name}: has {found}")
        if reading.channel is None and self._peak >= SILENCE and facts["silent"].all():
            warnings.warn(
                f"{source.name}: the mean of its {source.channels} channels is silence, though they are not: one may be "
                "inverted; choose one of them (channel=0, --channel 0)",
                EdgeVoiceWarning,
                stacklevel=3,  # where `extract` was called
            )
        facts["position"] += round(source.first * layout.rate / source.rate)
        extent = (source.first / source.rate, (source.first + self.stream.position) / source.rate)
        return Features(values, facts, layout, source.name, extent, self._extractor.recipe(reading))


def _with_statistics(level: Level, source: AudioSource, rate: int, channel: int | None) -> Level:
    """A level with the statistics of all samples of a recording at the model's rate, including its tail."""
    count, total, low, high = 0, 0.0, np.inf, -np.inf
    with np.errstate(all="ignore"):
        for samples in resampled(source, rate, channel):
            if len(samples):
                count += len(samples)
                total += float(np.add.reduce(samples.astype(np.float64)))
                low, high = min(low, float(samples.min())), max(high, float(samples.max()))
    return level.with_statistics(total / count, low, high) if count else level
