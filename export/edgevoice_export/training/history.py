"""How a training run went, epoch by epoch, and its files `history.csv` and `history.png`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.files.wholefile import whole_file
from edgevoice_export.publish.plots import plot_history


@dataclass(frozen=True)
class Epoch:
    """What was measured at the end of an epoch."""

    epoch: int
    """Counted from 1."""
    training: float
    """Mean loss of the steps."""
    validation: dict[str, float]
    """Mean loss on the speakers for validation, by level."""
    code_distance: float | None
    """Mean distance of the codes that consistency brings closer; None where it has no weight."""
    seconds: float
    """Since the run was begun, pauses left out."""

    @property
    def score(self) -> float:
        """What the best weights have the lowest of: the mean validation loss."""
        return math.fsum(self.validation.values()) / len(self.validation)

    def row(self) -> dict[str, float]:
        """All of it as one row of a table."""
        distance = {} if self.code_distance is None else {"code_distance": self.code_distance}
        return {"epoch": self.epoch, "training": self.training, **self.validation, **distance, "seconds": self.seconds}


def write_history(folder: Path, history: Sequence[Epoch]) -> None:
    """Write one row an epoch, and draw them, whole or not at all.

    Raises:
        OutputError: they cannot be written.
    """
    table = io.StringIO(newline="")
    rows = csv.DictWriter(table, list(history[0].row()))
    rows.writeheader()
    rows.writerows(epoch.row() for epoch in history)
    with whole_file(folder / "history.csv") as file:
        file.write(table.getvalue().encode())
    with whole_file(folder / "history.png") as file:
        file.write(plot_history(history))
