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
    contrast: float | None = None
    """Mean contrast of the pairs of windows of one recording, in nats; None where it has no weight."""

    @property
    def score(self) -> float:
        """What the best weights have the lowest of: the mean validation loss."""
        return math.fsum(self.validation.values()) / len(self.validation)

    def row(self) -> dict[str, float]:
        """All of it as one row of a table."""
        terms = {"code_distance": self.code_distance, "contrast": self.contrast}
        weighted = {name: value for name, value in terms.items() if value is not None}
        return {"epoch": self.epoch, "training": self.training, **self.validation, **weighted, "seconds": self.seconds}


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
