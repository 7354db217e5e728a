"""The pictures of a training run and of a model card."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray


def plot_history(epochs: Sequence[int], losses: Mapping[str, Sequence[float]]) -> bytes:
    """Draw losses by name over epochs, as PNG; NaN where an epoch has none."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, values in losses.items():
        axes.plot(epochs, values, marker=".", label=name)
    axes.set(xlabel="epoch", ylabel="loss", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    return _png(figure)


def plot_example(spectrograms: NDArray[np.float32], reconstructions: NDArray[np.float32], milliseconds: float) -> bytes:
    """Draw standardised spectrograms above their reconstructions, both (n, bands, columns), as PNG.

    Args:
        spectrograms: of some windows.
        reconstructions: of the same windows.
        milliseconds: length of a window.
    """
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
