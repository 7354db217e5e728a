"""The losses of a training run on disk: `history.csv` and `history.png`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgevoice.files.wholefile import whole_file
from edgevoice_export.publish.plots import plot_history


def write_history(folder: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write one row an epoch, and draw them, whole or not at all.

    Raises:
        OutputError: they cannot be written.
    """
    table = io.StringIO(newline="")
    rows = csv.DictWriter(table, list(history[0]))
    rows.writeheader()
    rows.writerows(history)
    with whole_file(folder / "history.csv") as file:
        file.write(table.getvalue().encode())
    with whole_file(folder / "history.png") as file:
        file.write(plot_history(history))
