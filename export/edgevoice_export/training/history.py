"""The history of a training run, epoch by epoch, and its files `history.csv` and `history.png`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.files import whole_file
from edgevoice_export.publish.plots import plot_history


@dataclass(frozen=True)
class Epoch:
    """The measurements at the end of an epoch."""

    epoch: int
    """Number of the epoch, from 1; 0 is the measurement before the first step, for a run with given weights."""
    training: float | None
    """Mean loss of the steps; None for epoch 0."""
    validation: dict[str, float]
    """Mean loss on the validation speakers, by level."""
    code_distance: float | None
    """Mean distance of the codes that consistency draws together; None where consistency has no weight."""
    seconds: float
    """Seconds since the start of the run, without interruptions."""
    contrast: float | None = None
    """Mean contrast of pairs of windows from one recording, in nats; None where contrast has no weight."""

    @property
    def score(self) -> float:
        """The mean validation loss, by which the best weights are chosen."""
        return math.fsum(self.validation.values()) / len(self.validation)

    def row(self) -> dict[str, float | None]:
        """The row of a table; None where there is no value."""
        terms = {"code_distance": self.code_distance, "contrast": self.contrast}
        weighted = {name: value for name, value in terms.items() if value is not None}
        return {"epoch": self.epoch, "training": self.training, **self.validation, **weighted, "seconds": self.seconds}


def write_history(folder: Path, history: Sequence[Epoch]) -> None:
    """Write the table, with one row per epoch, and the picture, as complete files.

    Raises:
        OutputError: they cannot be written.
    """
    table = io.StringIO(newline="")
    rows = csv.DictWriter(table, list(history[-1].row()), restval="")  # epoch 0 has fewer values
    rows.writeheader()
    rows.writerows(epoch.row() for epoch in history)
    with whole_file(folder / "history.csv") as file:
        file.write(table.getvalue().encode())
    with whole_file(folder / "history.png") as file:
        file.write(plot_history(history))
