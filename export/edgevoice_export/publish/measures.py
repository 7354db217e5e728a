"""Measures networks on speech with which they were not trained: errors, and how far one model's are from another's.

A classifier that was trained on the features of a model works with those of an adapted model only if these have moved
little, in standard deviations of each number over the recordings. Whether adapting was worth it is decided by the errors on
speakers held out, not by the curve of the loss.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import TypicalConfig
from edgevoice.errors import ArgumentError, AudioError, EdgeVoiceWarning
from edgevoice.extractor import Extractor
from edgevoice.features import functionals
from edgevoice_export.data.sampler import Draw, WindowSampler
from edgevoice_export.publish.markdown import table
from edgevoice_export.publish.verify import Compute

Floats = NDArray[np.float32]
_BATCH = 16
_QUANTILES = (12.706, 4.303, 3.182, 2.776)  # of 97.5 %, of Student's t with 1 to 4 degrees of freedom


@dataclass(frozen=True)
class HeldOut:
    """Mean squared error of standardised spectrograms at one level."""

    windows: int
    by_band: NDArray[np.float64]
    """(bands,)"""
    typical: TypicalConfig
    """Mean and spread of the descriptors over these windows."""

    @property
    def mean(self) -> float:
        """The mean over all bands."""
        return float(self.by_band.mean())


def measure(compute: Compute, windows: WindowSampler, draw: Draw) -> HeldOut:
    """The error over drawn windows, computed as the runtime computes it."""
    found = (compute(windows.spectrograms(draw[k : k + _BATCH])) for k in range(0, len(draw), _BATCH))
    rows = [(outputs["bottleneck"], outputs["error"]) for outputs in found]
    codes, errors = (np.concatenate(parts, dtype=np.float64) for parts in zip(*rows, strict=True))
    descriptors = np.concatenate([codes, errors], axis=1)
    mean, spread = (tuple(float(f"{value:.6g}") for value in values) for values in (descriptors.mean(0), descriptors.std(0)))
    return HeldOut(len(draw), errors.mean(axis=0), TypicalConfig(mean, spread))


@dataclass(frozen=True)
class Movement:
    """Root mean square difference of each number in its standard deviations, summarised over all numbers."""

    median: float
    largest: float

    @classmethod
    def between(cls, before: Floats, after: Floats) -> Movement | None:
        """Compare matrices (rows, numbers); None where all numbers are constant. Constant numbers are ignored."""
        spread = before.std(axis=0, dtype=np.float64)
        varies = spread > 1e-6 * np.abs(before).max(axis=0)
        moved = np.sqrt(np.square(after - before, dtype=np.float64).mean(axis=0))[varies] / spread[varies]
        if not len(moved):
            return None
        return cls(float(np.median(moved)), float(moved.max()))


@dataclass(frozen=True)
class Verdict:
    """The change of the reconstruction error from one model to another, over speakers that neither was trained on."""

    speakers: int
    change: float
    """Relative change of a speaker's mean error (the geometric mean over speakers): -0.1 is a tenth less."""
    low: float
    """Of its 95 % interval, by Student's t over the speakers' logarithms; the whole axis for a single speaker."""
    high: float

    @classmethod
    def between(cls, before: Sequence[Floats], after: Sequence[Floats], speakers: Sequence[str]) -> Verdict:
        """Compare errors (windows, bands) that two models give for each recording, whose speakers are named."""
        logs = []
        for speaker in sorted(set(speakers)):
            own = [number for number, name in enumerate(speakers) if name == speaker]
            one, other = (np.concatenate([rows[k] for k in own]).mean(dtype=np.float64) for rows in (before, after))
            logs.append(np.log(other / one))
        count, mean = len(logs), float(np.mean(logs))
        half = float("inf") if count == 1 else _quantile(count - 1) * float(np.std(logs, ddof=1)) / np.sqrt(count)
        return cls(count, *(float(np.expm1(value)) for value in (mean, mean - half, mean + half)))

    def __str__(self) -> str:
        if self.speakers == 1:
            return f"one speaker allows no conclusion about others: error {self.change:+.1%}; hold out two or more"
        found = f"error {self.change:+.1%}, 95 % interval {self.low:+.1%} to {self.high:+.1%}, {self.speakers} speakers"
        if self.high < 0:
            return f"better for speakers like these: {found}"
        if self.low > 0:
            return f"worse for speakers like these, keep the first model: {found}"
        return f"no difference that these speakers show, more of them may: {found}"


def _quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t (Cornish and Fisher's expansion from 5 degrees of freedom on, within 0.03)."""
    if freedom <= len(_QUANTILES):
        return _QUANTILES[freedom - 1]
    normal = 1.959964
    third, fifth = normal**3 + normal, 5 * normal**5 + 16 * normal**3 + 3 * normal
    return normal + third / (4 * freedom) + fifth / (96 * freedom**2)


@dataclass(frozen=True)
class Drift:
    """The drift between two models."""

    recordings: int
    windows: int
    movements: dict[str, Movement]
    """Of the bottleneck, of the errors, and of the static vectors."""
    verdict: Verdict

    @classmethod
    def between(cls, before: list[Floats], after: list[Floats], units: int, speakers: Sequence[str]) -> Drift:
        """Compare the descriptors (windows, units + bands) that two models give for each recording, by its speaker."""
        one, other = np.concatenate(before), np.concatenate(after)
        vectors = (np.array([functionals(values) for values in rows]) for rows in (before, after))
        movements = {
            "bottleneck": Movement.between(one[:, :units], other[:, :units]),
            "error": Movement.between(one[:, units:], other[:, units:]),
            "static vectors": Movement.between(*vectors),
        }
        errors = [[rows[:, units:] for rows in each] for each in (before, after)]
        verdict = Verdict.between(errors[0], errors[1], speakers)
        return cls(len(before), len(one), {name: found for name, found in movements.items() if found}, verdict)

    def table(self) -> str:
        """A table in Markdown."""
        rows = [[name, f"{found.median:.3f}", f"{found.largest:.3f}"] for name, found in self.movements.items()]
        return table(["moved by", "median number", "the one that moved most"], rows, "lrr")


def measure_drift(before: Extractor, after: Extractor, files: Iterable[Path]) -> Drift:
    """Measure the drift over recordings, whose folders are their speakers; there is a warning for each that is unusable.

    Raises:
        ArgumentError: the models have codes of other sizes or other windows, or no recording can be used.
    """
    units = before.layout.bottleneck
    one, other = (
        f"{layout.bottleneck} + {layout.error} numbers for {audio.window} samples every {audio.hop} at {audio.rate} Hz"
        for layout, audio in ((each.layout, each.config.audio) for each in (before, after))
    )
    if one != other:
        raise ArgumentError(f"they cannot be compared: {before.config.name} has {one}, {after.config.name} {other}")
    found = []
    for file in files:
        try:
            found.append((before.extract(file).values, after.extract(file).values, str(file.parent)))
        except AudioError as error:
            warnings.warn(f"skipped {error}", EdgeVoiceWarning, stacklevel=2)
    if not found:
        raise ArgumentError("no recording could be used")
    ones, others, speakers = zip(*found, strict=True)
    return Drift.between(list(ones), list(others), units, speakers)
