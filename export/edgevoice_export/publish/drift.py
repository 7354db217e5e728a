"""Measures how far the features of one model are from those of another, relative to their spread.

A classifier that was trained on the features of a model works with the features of an adapted model only if these have
moved little. The unit is the standard deviation of each number over the recordings: 0.1 is a tenth of its usual variation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, AudioError
from edgevoice.extractor import Extractor
from edgevoice.features import functionals
from edgevoice_export.publish.markdown import table

Floats = NDArray[np.float32]


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
class Drift:
    """The drift between two models."""

    recordings: int
    windows: int
    movements: dict[str, Movement]
    """The drift of the bottleneck, of the errors, and of the static vectors."""

    @classmethod
    def between(cls, before: list[Floats], after: list[Floats], units: int) -> Drift:
        """Compare the descriptors (windows, bottleneck + error) that two models give for each recording.

        Args:
            before: of the one model.
            after: of the other, of the same recordings.
            units: numbers of the bottleneck.
        """
        one, other = np.concatenate(before), np.concatenate(after)
        vectors = (np.array([functionals(values) for values in rows]) for rows in (before, after))
        movements = {
            "bottleneck": Movement.between(one[:, :units], other[:, :units]),
            "error": Movement.between(one[:, units:], other[:, units:]),
            "static vectors": Movement.between(*vectors),
        }
        return cls(len(before), len(one), {name: found for name, found in movements.items() if found})

    def table(self) -> str:
        """A table in Markdown."""
        rows = [[name, f"{found.median:.3f}", f"{found.largest:.3f}"] for name, found in self.movements.items()]
        return table(["moved by", "median number", "the one that moved most"], rows, "lrr")


def measure_drift(before: Extractor, after: Extractor, files: Iterable[Path]) -> Drift:
    """Measure the drift over recordings; unusable ones are left out.

    Raises:
        ArgumentError: the models have codes of other sizes, or no recording can be used.
    """
    sizes = [(each.layout.bottleneck, each.layout.error) for each in (before, after)]
    if sizes[0] != sizes[1]:
        raise ArgumentError(
            f"{before.config.name} has {sizes[0]} numbers, {after.config.name} {sizes[1]}: they cannot be compared"
        )
    pairs = []
    for file in files:
        try:
            pairs.append((before.extract(file).values, after.extract(file).values))
        except AudioError:
            continue
    if not pairs:
        raise ArgumentError("no recording could be used")
    return Drift.between([one for one, _ in pairs], [other for _, other in pairs], sizes[0][0])
