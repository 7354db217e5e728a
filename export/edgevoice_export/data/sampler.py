"""Windows of a corpus, at a level, as spectrograms: what a network is trained and validated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import AudioConfig, LevelConfig
from edgevoice.errors import ArgumentError
from edgevoice.frontend import FrontEnd
from edgevoice.levels import LEVELS, Track
from edgevoice_export.data.changes import CHANGES, Change, changed
from edgevoice_export.data.corpus import Corpus


@dataclass(frozen=True)
class Draw:
    """Places of windows, and the levels that they are taken at."""

    utterances: NDArray[np.int64]
    """(n,)"""
    starts: NDArray[np.int64]
    """First sample of each window within its utterance: (n,)."""
    levels: tuple[str, ...]
    gains: NDArray[np.float64]
    """Factor on the gain of the level: (n,)."""
    changes: tuple[Change | None, ...]
    """What each window goes through; None: nothing."""

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, part: slice) -> Draw:
        return Draw(self.utterances[part], self.starts[part], self.levels[part], self.gains[part], self.changes[part])


class WindowSampler:
    """The windows of some utterances of a corpus; one that is shorter than a window has zeros after it."""

    def __init__(
        self, corpus: Corpus, utterances: NDArray[np.int64], audio: AudioConfig, level: LevelConfig, front: FrontEnd
    ) -> None:
        self._corpus, self._utterances = corpus, utterances
        self._audio, self._front = audio, front
        positions = [self._length(u) - audio.window + 1 for u in utterances.tolist()]
        self._ends = np.cumsum(positions, dtype=np.int64)
        self._tracks: dict[int, dict[str, Track]] = {}
        for u in utterances.tolist():
            samples = self._samples(u, 0, self._length(u))
            self._tracks[u] = {name: kind(level).track(samples) for name, kind in LEVELS.items()}

    def draw(
        self,
        count: int,
        levels: tuple[str, ...],
        jitter_db: float,
        random: np.random.Generator,
        augment: float = 0.0,
        changes: Sequence[str] = tuple(CHANGES),
    ) -> Draw:
        """Places at random, every possible one as likely as any other; a level and a gain for each, a change for a share."""
        kinds = [None if share >= augment else changes[int(random.integers(len(changes)))] for share in random.random(count)]
        places = random.integers(self._ends[-1], size=count)
        index = np.searchsorted(self._ends, places, side="right")
        starts = places - np.concatenate([[0], self._ends])[index]
        return Draw(
            utterances=self._utterances[index],
            starts=starts,
            levels=tuple(levels[k] for k in random.integers(len(levels), size=count)),
            gains=10 ** (random.uniform(-jitter_db, jitter_db, size=count) / 20),
            changes=tuple(None if kind is None else Change(kind, int(random.integers(2**62))) for kind in kinds),
        )

    def grid(self, level: str, most: int | None = None) -> Draw:
        """Every window of the model's hop, or at most so many of them, evenly taken."""
        places = [
            (u, start)
            for u in self._utterances.tolist()
            for start in range(0, self._length(u) - self._audio.window + 1, self._audio.hop)
        ]
        if most is not None and len(places) > most:
            places = [places[k] for k in np.linspace(0, len(places) - 1, most).astype(int)]
        utterances, starts = np.array(places, np.int64).T
        return Draw(utterances, starts, (level,) * len(places), np.ones(len(places)), (None,) * len(places))

    def spectrograms(self, draw: Draw) -> NDArray[np.float32]:
        """Standardised spectrograms of the windows drawn, float32 (n, 1, bands, columns)."""
        out = np.empty((len(draw), 1, *self._front.shape), np.float32)
        scratch = self._front.scratch()
        places = zip(draw.utterances.tolist(), draw.starts.tolist(), draw.levels, draw.gains, draw.changes, strict=True)
        for k, (u, start, level, factor, change) in enumerate(places):
            window = self._samples(u, start, start + self._audio.window)
            offset, gain = self._tracks[u][level](start, start + self._audio.window)
            if change is not None:
                window = changed(window - offset, self._audio.rate, 1 / gain, change).astype(np.float32)
                offset = 0.0
            self._front.compute(window[None], offset, gain * factor, scratch, out[k])
        return out

    def _length(self, utterance: int) -> int:
        return max(self._audio.window, int(self._corpus.bounds[utterance + 1] - self._corpus.bounds[utterance]))

    def _samples(self, utterance: int, start: int, end: int) -> NDArray[np.float32]:
        samples = self._corpus.utterance(utterance, start, end)
        return np.pad(samples, (0, end - start - len(samples)))


def split_speakers(speakers: tuple[str, ...], share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the utterances for training and for validation: no speaker is in both.

    Raises:
        ArgumentError: fewer than two speakers, or the share is not between 0 and 1.
    """
    names = sorted(set(speakers))
    if not 0 < share < 1:
        raise ArgumentError(f"validation share {share}: expected a number between 0 and 1")
    if len(names) < 2:
        told = "two or more are needed, some to validate on (a file's folder is its speaker, unless a --table tells)"
        raise ArgumentError(f"{len(names)} speaker in the data: {told}")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = set(np.random.default_rng([seed, 1]).choice(names, size=count, replace=False).tolist())
    held = np.array([name in chosen for name in speakers])
    return np.flatnonzero(~held), np.flatnonzero(held)
