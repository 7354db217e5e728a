"""The pictures of a training run and of a model card."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from edgevoice.files import whole_file
from edgevoice_export.training.runs import Epoch


def history_picture(history: Sequence[Epoch]) -> bytes:
    """The losses of a run over its epochs, as PNG."""
    losses = {"training": [math.nan if epoch.training is None else epoch.training for epoch in history]}
    for level in history[0].validation:
        losses[f"validation, level {level}"] = [epoch.validation[level] for epoch in history]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, values in losses.items():
        axes.plot([epoch.epoch for epoch in history], values, marker=".", label=name)
    axes.set(xlabel="epoch", ylabel="loss", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    return _png(figure)


def write_history(folder: Path, history: Sequence[Epoch]) -> None:
    """Write `history.csv`, with one row per epoch, and `history.png`, as complete files.

    Raises:
        OutputError: they cannot be written.
    """
    table = io.StringIO(newline="")
    rows = csv.DictWriter(table, list(history[-1].row()), restval="")  # epoch 0 has fewer values
    rows.writeheader()
    rows.writerows(epoch.row() for epoch in history)
    for name, content in {"history.csv": table.getvalue().encode(), "history.png": history_picture(history)}.items():
        with whole_file(folder / name) as file:
            file.write(content)


def plot_example(spectrograms: NDArray[np.float32], reconstructions: NDArray[np.float32], milliseconds: float) -> bytes:
    """Draw standardised spectrograms above their reconstructions, both (n, bands, columns), as PNG."""
    figure = Figure(figsize=(2.2 * len(spectrograms), 4.2), dpi=80, layout="constrained")
    grid = figure.subplots(2, len(spectrograms), sharex=True, sharey=True, squeeze=False)
    # Not to the very loudest: without a logarithm, that would leave all the rest dark.
    low, high = float(spectrograms.min()), float(np.quantile(spectrograms, 0.995))
    image = None
    for column, pair in enumerate(zip(spectrograms, reconstructions, strict=True)):
        for row, values in enumerate(pair):
            extent = (0, milliseconds, 0, len(values))
            image = grid[row, column].imshow(values, origin="lower", aspect="auto", extent=extent, vmin=low, vmax=high)
        grid[1, column].set_xlabel("ms")
    grid[0, 0].set_ylabel("input: band")
    grid[1, 0].set_ylabel("reconstruction: band")
    if image is not None:
        figure.colorbar(image, ax=grid, label="standardised")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()
