"""Where frames are drawn over time, and in which units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edgevoice.config import BandsConfig, SpectrogramConfig
    from edgevoice.features import Features

WIDTH = 1200
"""Width of the images in columns: about the pixels of the picture."""
_MARKS = (("silent", "0.5"), ("gap", "tab:red"))


class TimeAxis:
    """Places frames: each at the middle of its window, as wide as the hop. Lost windows leave columns free."""

    def __init__(self, features: Features) -> None:
        position, layout = features.position, features.layout
        hop = int(np.diff(position).min()) if len(position) > 1 else layout.window
        self._columns = (position - position[0]) // hop
        self.count = int(self._columns[-1]) + 1
        """The number of columns."""
        self.hop = hop / layout.rate
        """Width of a column in seconds."""
        self.left = (int(position[0]) + (layout.window - hop) / 2) / layout.rate
        """Where the first column begins, in seconds."""

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of frames (frames, numbers) as (columns, numbers), NaN in free columns."""
        spread = np.full((self.count, values.shape[1]), np.nan, np.float32)
        spread[self._columns] = values
        return spread

    def draw_image(self, panel: Any, values: NDArray[Any], limits: tuple[float, float], colours: str) -> Any:
        """Draw values (frames, numbers), averaged to the width of a picture."""
        average = Average(values.shape[1], self.count)
        average.add(values.T, self._columns)
        panel.set_yticks([0, values.shape[1]])
        return draw_image(panel, average.image, (self.left, self.left + self.count * self.hop), limits, colours)

    def draw_code(self, panel: Any, code: NDArray[np.float32], typical: Sequence[NDArray[Any]]) -> Any:
        """Draw a bottleneck (frames, units) in standard deviations from a mean: `typical` are mean and spread, (units,)."""
        mean, spread = (numbers[: code.shape[1]] for numbers in typical)
        panel.fmt_ydata = lambda row: f"unit {int(row)}"
        return self.draw_image(panel, (code - mean) / (spread + 1e-9), (-3, 3), "RdBu_r")

    def mark(self, panel: Any, features: Features) -> None:
        """Mark silence and gaps by strips above a panel, with a legend where there is one of them."""
        for name, colour in _MARKS:
            flags = np.concatenate([[0], self.spread(getattr(features, name)[:, None])[:, 0] == 1, [0]]).astype(np.int8)
            first, end = (np.flatnonzero(np.diff(flags) == sign) for sign in (1, -1))
            if len(first):
                runs = list(zip(self.left + first * self.hop, (end - first) * self.hop, strict=True))
                place = {"transform": panel.get_xaxis_transform(), "clip_on": False}
                panel.broken_barh(runs, (1.01, 0.06), color=colour, linewidth=0, label=name, **place)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(loc="lower right", bbox_to_anchor=(1, 1.03), ncols=2, fontsize="x-small", frameon=False)


class Average:
    """An image of a number of columns, which is built part by part, and averaged to the width of the picture."""

    def __init__(self, rows: int, columns: int) -> None:
        self._columns, width = columns, min(columns, WIDTH)
        self._sum, self._counts = np.zeros((rows, width)), np.zeros(width)

    def add(self, values: NDArray[np.floating], columns: NDArray[np.int64]) -> None:
        """Add values (rows, n) at columns (n,), which ascend."""
        places = np.minimum(columns, self._columns - 1) * len(self._counts) // self._columns
        found, starts = np.unique(places, return_index=True)
        self._sum[:, found] += np.add.reduceat(values, starts, axis=1)
        self._counts[found] += np.diff(starts, append=values.shape[1])

    @property
    def image(self) -> NDArray[np.float64]:
        """The mean of the values in each column, (rows, width); NaN where there are none."""
        with np.errstate(invalid="ignore"):
            return self._sum / self._counts


def draw_image(
    panel: Any, image: NDArray[Any], seconds: tuple[float, float], limits: tuple[float, float], colours: str
) -> Any:
    """Draw an image (rows, columns) over a time in seconds, with the colours of the limits at its ends."""
    look = {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "cmap": colours}
    return panel.imshow(image, extent=[*seconds, 0, len(image)], vmin=limits[0], vmax=limits[1], **look)


def in_decibels(config: SpectrogramConfig) -> tuple[float, float, str]:
    """Factor and summand that turn a standardised spectrogram into decibels, and the unit: of magnitudes it stays."""
    if config.logarithm is None:
        return 1.0, 0.0, "scaled"
    bel = (10 if config.spectrum == "power" else 20) / np.log(10)
    return config.divisor * bel, -config.offset * bel, "dB"


def label_hertz(panel: Any, bands: BandsConfig) -> None:
    """Label the axis of an image of bands by frequencies."""
    from edgevoice.frontend import band_of

    count, low, high = bands.count, bands.low, bands.high
    marks = [hertz for hertz in (500, 1000, 2000, 4000, 8000) if low < hertz <= high]
    grid, linear = [*np.linspace(low, high, 400), *marks], bands.scale == "bins"
    places = [count * (hertz - low) / (high - low) if linear else band_of(hertz, low, high, count) for hertz in grid]
    panel.set_yticks(places[400:], [f"{hertz / 1000:g} kHz" for hertz in marks])
    panel.fmt_ydata = lambda band: f"{np.interp(band, places[:400], grid[:400]):.0f} Hz"
