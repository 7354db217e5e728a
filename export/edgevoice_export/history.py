"""The losses of a training run on disk: `history.csv` and `history.png`."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgevoice_export.plots import plot_history


def write_history(folder: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write one row an epoch, whole or not at all."""
    draft = folder / ".history.csv"
    with draft.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, list(history[0]))
        rows.writeheader()
        rows.writerows(history)
    draft.replace(folder / "history.csv")
    picture = folder / ".history.png"
    plot_history(picture, history)
    picture.replace(folder / "history.png")
