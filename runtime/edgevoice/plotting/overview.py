"""A figure of a recording and its features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.levels import find_level
from edgevoice.plotting.figurefile import new_figure
from edgevoice.windows import Windower, Windows

Blocks = Callable[[], Iterator[NDArray[Any]]]

_WIDTH = 1200
"""Width of the images in columns: about the pixels of the picture."""
_STANDARDISED = "log power, scaled"
"""The unit of spectrograms: the logarithm of the power in each band, standardised as the networks expect it."""

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.extractor import Extractor
    from edgevoice.features import Features


def draw_overview(
    extractor: Extractor,
    samples: NDArray[Any] | Blocks,
    features: Features,
    title: str = "",
    level: str | float | None = None,
) -> Figure:
    """Draw waveform, spectrogram, reconstruction, bottleneck and error over time.

    The two spectrograms show windows side by side, each at its own level: what the networks took, and made of it. All is
    averaged to the width of the picture while it is computed, so that three hours take no more memory than a minute.

    Args:
        extractor: what made the features.
        samples: the recording at the model's rate, one channel, float (samples,); or a function that gives it from its
            start in blocks (samples,), each time that it is called.
        features: of that recording; it begins with the first of their windows.
        title: written above.
        level: that of the features, as in `Extractor.extract`.

    Returns:
        A matplotlib figure that no window shows; `figure.savefig(path)` writes it.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    figure = new_figure(10, 1.6 * (2 + 2 * bool(features.layout.error) + bool(features.layout.bottleneck)))
    audio, bands = extractor.config.audio, extractor.config.spectrogram.bands
    blocks: Blocks = samples if callable(samples) else lambda: iter([np.asarray(samples)])
    recording = _Drawn(extractor, blocks, level)
    hop = features.end[1] - features.end[0] if len(features) > 1 else audio.window / audio.rate
    first = float(features.start[0])
    # A frame is drawn over the hop that it ends.
    framed, whole = (features.end[0] - hop, features.end[-1]), (first, first + recording.windows * audio.window / audio.rate)
    hertz = (bands.low, bands.high)
    rows = [_Row("input", recording.spectrogram.image, whole, hertz, _STANDARDISED, shared=True)]
    if features.layout.error:
        rows.append(_Row("rebuilt", recording.reconstruction.image, whole, hertz, _STANDARDISED, shared=True))
    if features.layout.bottleneck:
        rows.append(
            _Row(
                f"bottleneck\n{features.layout.bottleneck} numbers", _scaled(features.bottleneck), framed, None, "deviations"
            )
        )
    if features.layout.error:
        rows.append(_Row("error", narrowed(features.error, lambda error: np.log10(error + 1e-9)), framed, hertz, "log10"))
    grid = figure.add_gridspec(len(rows) + 1, 2, width_ratios=(80, 1))
    panels: list[Any] = []
    for k in range(len(rows) + 1):
        panels.append(figure.add_subplot(grid[k, 0], sharex=panels[0] if panels else None))
        panels[-1].tick_params(labelbottom=k == len(rows))
    panels[0].set_title(title, loc="left", parse_math=False)  # a name may have a dollar sign
    seconds = first + (np.arange(len(recording.lowest)) + 0.5) * recording.count / max(1, len(recording.lowest)) / audio.rate
    panels[0].fill_between(seconds, recording.lowest, recording.highest, linewidth=0.4, color="0.25")
    panels[0].set(ylabel="samples", ylim=(-1, 1), xlim=(first, max(whole[1], framed[1])))
    panels[-1].set_xlabel("seconds")
    low, high = rows[0].image.min(), rows[0].image.max()
    for panel, row in zip(panels[1:], rows, strict=True):
        scale = {"vmin": low, "vmax": high} if row.shared else {}
        edges = [*row.seconds, 0, len(row.image)]
        style = {"interpolation": "nearest", "cmap": "magma", **scale}
        drawn = panel.imshow(row.image, origin="lower", aspect="auto", extent=edges, **style)
        bar = figure.colorbar(drawn, cax=figure.add_subplot(grid[panels.index(panel), 1]))
        bar.set_label(row.unit, fontsize="x-small")
        bar.ax.tick_params(labelsize="x-small")
        panel.set_ylabel(row.label)
        panel.set_yticks([])
        if row.hertz:
            label_hertz(panel, *row.hertz, len(row.image), bands.scale == "bins")
    return figure


class _Row(NamedTuple):
    label: str
    image: NDArray[np.floating]
    """(rows, columns)"""
    seconds: tuple[float, float]
    hertz: tuple[float, float] | None
    unit: str
    """The label of the colour bar."""
    shared: bool = False
    """Whether it has the colours of the input."""


class _Drawn:
    """The images of a recording, computed window by window."""

    def __init__(self, extractor: Extractor, blocks: Blocks, level: str | float | None) -> None:
        config, batch = extractor.config, 64
        mean, low, high, self.count = _statistics(blocks)
        size = config.audio.window
        self.windows = self.count // size
        columns = self.windows * config.columns
        self.spectrogram = _Average(config.spectrogram.bands.count, columns)
        self.reconstruction = _Average(config.spectrogram.bands.count, columns)
        places = min(self.count, 4 * _WIDTH)
        self.lowest, self.highest = np.full(places, np.inf), np.full(places, -np.inf)
        chosen = find_level(level, config.level)
        if chosen.needs_whole:
            chosen = chosen.with_statistics(mean, low, high)
        # Levels do not depend on the hop: these windows have the same levels as in the features.
        windower = Windower(config, chosen, size, batch)
        at = 0
        for block in blocks():
            place = (at + np.arange(len(block))) * places // max(1, self.count)
            np.minimum.at(self.lowest, place, block)
            np.maximum.at(self.highest, place, block)
            at += len(block)
            windower.push(block.astype(np.float32, copy=False), lambda windows: self._add(extractor, windows))

    def _add(self, extractor: Extractor, windows: Windows) -> None:
        leveled = ((windows.samples - windows.facts["offset"][:, None]) * windows.facts["gain"][:, None]).astype(np.float32)
        self.spectrogram.add(np.concatenate(list(extractor.spectrogram(leveled)), axis=1))
        if extractor.layout.error:
            self.reconstruction.add(np.concatenate(list(extractor.reconstruct(leveled)), axis=1))


class _Average:
    """An image that is built column by column, and averaged to the width of the picture."""

    def __init__(self, rows: int, columns: int) -> None:
        self._columns, self._given = max(1, columns), 0
        width = min(self._columns, _WIDTH)
        self._sum, self._counts = np.zeros((rows, width)), np.zeros(width)

    def add(self, columns: NDArray[np.floating]) -> None:
        """Add the next columns, (rows, n)."""
        width = len(self._counts)
        places = (self._given + np.arange(columns.shape[1])) * width // self._columns
        self._given += columns.shape[1]
        found, starts = np.unique(np.minimum(places, width - 1), return_index=True)
        self._sum[:, found] += np.add.reduceat(columns, starts, axis=1)
        self._counts[found] += np.diff(starts, append=columns.shape[1])

    @property
    def image(self) -> NDArray[np.float64]:
        """The mean of the values in each column: (rows, width)."""
        return self._sum / np.maximum(self._counts, 1)


def _statistics(blocks: Blocks) -> tuple[float, float, float, int]:
    """Mean, lowest and highest sample, and the number of samples."""
    total, low, high, count = 0.0, np.inf, -np.inf, 0
    for block in blocks():
        if len(block):
            total += float(block.sum(dtype=np.float64))
            low, high, count = min(low, float(block.min())), max(high, float(block.max())), count + len(block)
    return total / max(1, count), low, high, count


def narrowed(
    values: NDArray[np.float32], change: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Turn values (frames, numbers) into an image (numbers, width): transformed first, then averaged."""
    average = _Average(values.shape[1], len(values))
    for first in range(0, len(values), _WIDTH):
        average.add(change(values[first : first + _WIDTH]).T)
    return average.image


def _scaled(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Standardise each number by its own mean and spread: some units are a hundred times larger than others."""
    mean, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    return narrowed(values, lambda some: np.clip((some - mean) / spread, -3, 3))


def label_hertz(panel: Any, low: float, high: float, count: int, linear: bool) -> None:
    """Label the axis of an image with `count` bands by frequencies from `low` to `high`, in hertz."""
    from edgevoice.frontend import band_of

    marks = [hertz for hertz in (500, 1000, 2000, 4000, 8000) if low < hertz <= high]
    places = [count * (hertz - low) / (high - low) if linear else band_of(hertz, low, high, count) for hertz in marks]
    panel.set_yticks(places, [f"{hertz / 1000:g} kHz" for hertz in marks])
