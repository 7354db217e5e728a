"""Draws windows from recordings, and computes their spectrograms at a level, for training and validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgevoice.levels import Track, find_level
from edgevoice_export.data.changes import CHANGES, Change, changed
from edgevoice_export.data.preprocessing import Preprocessing

SCALE = 32768.0
"""int16 / 2^15 is the sample."""


class Recording:
    """float32 samples that are made from int16 ones where they are read: those of a corpus stay in its memory map.

    It has what `edgevoice.levels.Level.track` takes of an array: length, slices, mean, lowest and highest sample. One with
    fewer samples than `shortest` is padded with zeros.
    """

    def __init__(self, samples: NDArray[np.int16], shortest: int = 0) -> None:
        self._samples = samples
        self._length = max(shortest, len(samples))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        start, end, _ = part.indices(self._length)
        samples = np.asarray(self._samples[start:end], np.float32) / np.float32(SCALE)
        return np.pad(samples, (0, max(0, end - start - len(samples))))

    def mean(self, dtype: Any = None) -> Any:
        """The mean of all samples."""
        return self[:].mean(dtype=dtype)

    def min(self) -> float:
        """The lowest sample."""
        return float(self[:].min())

    def max(self) -> float:
        """The highest sample."""
        return float(self[:].max())


@dataclass(frozen=True)
class Draw:
    """A batch of windows: where they begin, and at which level."""

    recordings: NDArray[np.int64]
    """Their recordings, by their number in the sampler: (n,)."""
    starts: NDArray[np.int64]
    """First sample of each window within its recording: (n,)."""
    levels: tuple[str | float, ...]
    gains: NDArray[np.float64]
    """A factor for the gain of the level: (n,)."""
    changes: tuple[Change | None, ...]
    """The change of each window; None for no change."""

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, part: slice) -> Draw:
        return Draw(self.recordings[part], self.starts[part], self.levels[part], self.gains[part], self.changes[part])


class WindowSampler:
    """The windows of some recordings. A recording that is shorter than a window is padded with zeros."""

    def __init__(self, recordings: Sequence[NDArray[np.int16]], preprocessing: Preprocessing) -> None:
        self._audio, self._level, self._front = preprocessing.audio, preprocessing.level, preprocessing.front_end
        self._recordings = [Recording(samples, self._audio.window) for samples in recordings]
        self._ends = np.cumsum([len(recording) - self._audio.window + 1 for recording in self._recordings], dtype=np.int64)
        self._tracks: dict[tuple[int, str | float], Track] = {}

    def draw(
        self,
        count: int,
        levels: tuple[str, ...],
        jitter_db: float,
        random: np.random.Generator,
        augment: float = 0.0,
        changes: Sequence[str] = tuple(CHANGES),
    ) -> Draw:
        """Draw positions with equal probability; a level and a gain for each, and a change for a share of the windows."""
        kinds = [None if share >= augment else changes[int(random.integers(len(changes)))] for share in random.random(count)]
        places = random.integers(self._ends[-1], size=count)
        recordings = np.searchsorted(self._ends, places, side="right")
        return Draw(
            recordings=recordings,
            starts=places - np.concatenate([[0], self._ends])[recordings],
            levels=tuple(levels[k] for k in random.integers(len(levels), size=count)),
            gains=10 ** (random.uniform(-jitter_db, jitter_db, size=count) / 20),
            changes=tuple(None if kind is None else Change(kind, int(random.integers(2**62))) for kind in kinds),
        )

    def with_partners(self, draw: Draw, random: np.random.Generator) -> tuple[Draw, NDArray[np.int64]]:
        """Move each window of the second half into the recording of one of the first half; return their rows (pairs, 2)."""
        half = len(draw) // 2
        pairs = np.stack([np.arange(half), half + np.arange(half)], axis=1)
        recordings, starts = draw.recordings.copy(), draw.starts.copy()
        recordings[pairs[:, 1]] = recordings[pairs[:, 0]]
        spans = np.diff(self._ends, prepend=0)[recordings[pairs[:, 1]]]
        starts[pairs[:, 1]] = random.integers(spans)
        return replace(draw, recordings=recordings, starts=starts), pairs

    def grid(self, level: str | float, most: int | None = None) -> Draw:
        """All windows at the model's hop, or at most `most` of them, evenly spaced."""
        places = [
            (k, start)
            for k, recording in enumerate(self._recordings)
            for start in range(0, len(recording) - self._audio.window + 1, self._audio.hop)
        ]
        if most is not None and len(places) > most:
            places = [places[k] for k in np.linspace(0, len(places) - 1, most).astype(int)]
        recordings, starts = np.array(places, np.int64).T
        return Draw(recordings, starts, (level,) * len(places), np.ones(len(places)), (None,) * len(places))

    def spectrograms(self, draw: Draw) -> NDArray[np.float32]:
        """Compute standardised spectrograms of the drawn windows, float32 (n, 1, bands, columns)."""
        out = np.empty((len(draw), 1, *self._front.shape), np.float32)
        places = zip(draw.recordings.tolist(), draw.starts.tolist(), draw.levels, draw.gains, draw.changes, strict=True)
        for k, (recording, start, level, factor, change) in enumerate(places):
            end = start + self._audio.window
            window = self._recordings[recording][start:end]
            offset, gain = self._track(recording, level)(start, end)
            if change is not None:
                window = changed(window - offset, self._audio.rate, 1 / gain, change).astype(np.float32)
                offset = 0.0
            self._front.compute(window[None], offset, gain * factor, out[k])
        return out

    def _track(self, recording: int, level: str | float) -> Track:
        """A level for a recording, measured when it is first used."""
        if (recording, level) not in self._tracks:
            samples = cast(NDArray[np.float32], self._recordings[recording])
            self._tracks[recording, level] = find_level(level, self._level).track(samples)
        return self._tracks[recording, level]
