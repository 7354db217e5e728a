"""Figures of recordings over time: one with all its parts, or several one below the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError
from edgevoice.plotting.figurefile import new_figure, styled
from edgevoice.plotting.timeaxis import WIDTH, Average, TimeAxis, draw_image, in_decibels, label_hertz

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.config import BandsConfig
    from edgevoice.extractor import Extractor, Typical
    from edgevoice.features import Features

MOST = 24
"""Largest number of recordings in one figure."""


@styled
def draw_overview(extractor: Extractor, blocks: Iterable[NDArray[Any]], features: Features, title: str = "") -> Figure:
    """Draw waveform, spectrogram, reconstruction, their difference, bottleneck and error over time.

    The spectrograms show windows side by side, each at its own level: what the networks took, and made of it. A frame is
    drawn at the middle of its window, as wide as the hop. All is averaged to the width of the picture while it is computed,
    so that three hours take no more memory than a minute.

    Args:
        extractor: what made the features.
        blocks: the recording at the model's rate, one channel, in blocks (samples,).
        features: of that recording, whole.
        title: written above.
        options: style, size and dpi, a `PictureOptions`.

    Returns:
        A matplotlib figure that no window shows; `figure.savefig(path)` writes it.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    spectrogram, axis, code = extractor.config.spectrogram, TimeAxis(features), features.bottleneck
    first, last = features.extent or (float(features.start[0]), float(features.end[-1]))
    recording = _Drawn(extractor, features, round((last - first) * features.layout.rate))
    for block in blocks:
        recording.add(block)
    taken, *others = recording.images
    names = ["samples", "input", *["rebuilt", "difference"] * len(others), *["bottleneck"] * bool(code.size)]
    names += ["error"] * len(others)
    figure = new_figure(10, 1.5 * len(names))
    panels = dict(zip(names, figure.subplots(len(names), sharex=True), strict=True))
    for name, panel in panels.items():
        panel.set_ylabel(name)
    panels["samples"].set_title(title, loc="left")
    panels["samples"].set_xlim(first, last)
    panels[names[-1]].set_xlabel("seconds")

    seconds = np.linspace(first, last, 2 * len(recording.lowest) + 1)[1::2]
    peak = max(0.01, -recording.lowest.min(), recording.highest.max())
    panels["samples"].fill_between(seconds, recording.lowest, recording.highest, linewidth=0.4, color="0.5")
    panels["samples"].set_ylim(-1.05 * peak, 1.05 * peak)

    scale, offset, unit = in_decibels(spectrogram)
    limits = (scale * float(np.nanmin(taken)) + offset, scale * float(np.nanmax(taken)) + offset)
    images: dict[str, Any] = {"input": (scale * taken + offset, limits, "magma")}
    for rebuilt in others:
        largest = scale * max(0.02, float(np.nanquantile(np.abs(rebuilt - taken), 0.99)))
        images["rebuilt"] = (scale * rebuilt + offset, limits, "magma")
        images["difference"] = (scale * (rebuilt - taken), (-largest, largest), "PuOr_r")
    for name, (image, ends, colours) in images.items():
        drawn = draw_image(panels[name], image, (first, last), ends, colours)
        label_hertz(panels[name], spectrogram.bands)
        _add_bar(drawn, panels[name], unit)
    if code.size:
        drawn = axis.draw_code(panels["bottleneck"], code, extractor.typical or (code.mean(axis=0), code.std(axis=0)))
        _add_bar(drawn, panels["bottleneck"], "deviations")
    if others:
        _draw_error(panels["error"], axis, features.error, scale, unit)
    axis.mark(panels[names[-1]], features)
    return figure


@styled
def draw_comparison(
    recordings: Sequence[tuple[str, Features]],
    title: str = "",
    typical: Typical | None = None,
    bands: BandsConfig | None = None,
) -> Figure:
    """Draw bottleneck and reconstruction error of several recordings, one below the other.

    All have the same time axis and the same colours, which bars at the side explain. A frame is drawn at the middle of its
    window, as wide as the hop.

    Args:
        recordings: the name and the features of each, 1 to 24, all of one model.
        title: written above.
        typical: what the bottleneck's standard deviations are counted from; these recordings' own mean and spread if None.
        bands: what frequencies the errors are of; the bands have numbers if None.
        options: style, size and dpi, a `PictureOptions`.

    Raises:
        ArgumentError: there are none, or too many, or one has no frame, or they are of several models.
        MissingPackageError: matplotlib is not installed.
    """
    if not 1 <= len(recordings) <= MOST:
        raise ArgumentError(f"{len(recordings)} recordings: expected 1 to {MOST} in one figure (edgevoice map shows more)")
    for name, features in recordings:
        if not len(features):
            raise ArgumentError(f"{name or 'features'}: no frame, so there is nothing to draw")
        if features.names != recordings[0][1].names:
            raise ArgumentError(f"{name or 'features'}: has other descriptors than the first: expected those of one model")
    kinds = [group.name for group in recordings[0][1].layout.groups if group.count]
    figure = new_figure(6 * len(kinds), 1.2 + 1.1 * len(recordings))
    panels = figure.subplots(len(recordings), len(kinds), sharex=True, squeeze=False)
    figure.suptitle(title, x=0.01, ha="left")
    for column, kind in enumerate(kinds):
        values = np.concatenate([getattr(features, kind) for _, features in recordings])
        for panel, (_, features) in zip(panels[:, column], recordings, strict=True):
            axis = TimeAxis(features)
            if kind == "bottleneck":
                drawn = axis.draw_code(panel, features.bottleneck, typical or (values.mean(axis=0), values.std(axis=0)))
            else:
                limits = np.log10(values.min() + 1e-9), np.log10(values.max() + 1e-9)
                drawn = axis.draw_image(panel, features.error, lambda some: np.log10(some + 1e-9), limits, "magma")
                if bands is not None:
                    label_hertz(panel, bands)
            axis.mark(panel, features)
        panels[-1, column].set_xlabel("seconds")
        label = "bottleneck, standard deviations" if kind == "bottleneck" else "error, log10 of the mean square"
        figure.colorbar(drawn, ax=panels[:, column], label=label)
    for panel, (name, _) in zip(panels[:, 0], recordings, strict=True):
        panel.set_title(name, loc="left", fontsize="small")
    panels[0, 0].set_xlim(0, max(float(features.end[-1]) for _, features in recordings))
    return figure


def _add_bar(drawn: Any, panel: Any, unit: str) -> None:
    bar = panel.figure.colorbar(drawn, ax=panel, pad=0.01, aspect=12)
    bar.set_label(unit, fontsize="x-small")
    bar.ax.tick_params(labelsize="x-small")


def _draw_error(panel: Any, axis: TimeAxis, error: NDArray[np.float32], scale: float, unit: str) -> None:
    """The root mean square over the bands of each frame, and where the middle 80 % of the bands are."""
    bands = scale * np.sqrt(axis.spread(error))
    low, high = np.quantile(bands, (0.1, 0.9), axis=1)
    middle = axis.left + (np.arange(axis.count) + 0.5) * axis.hop
    panel.fill_between(middle, low, high, color="C0", alpha=0.25, linewidth=0)
    panel.plot(middle, np.sqrt(np.square(bands).mean(axis=1)), color="C0", marker="." if axis.count == 1 else "")
    panel.set_ylim(bottom=0)
    panel.set_ylabel(f"error, {unit}")


class _Drawn:
    """The waveform and the images of a recording of `count` samples, computed block by block."""

    def __init__(self, extractor: Extractor, features: Features, count: int) -> None:
        self._size, self._columns, self._count = extractor.config.audio.window, extractor.config.columns, count
        # Windows side by side, or as little over each other as the hop allows.
        place, k, chosen = features.position, 0, []
        while k < len(place):
            chosen.append(k)
            k = max(k + 1, int(np.searchsorted(place, place[k] + self._size, side="right")) - 1)
        self._facts = features.facts[chosen]
        self._facts["position"] -= features.position[0]
        self.lowest, self.highest = np.full((2, min(count, 4 * WIDTH)), [[np.inf], [-np.inf]])
        self._held, self._begin = np.empty(0, np.float32), 0
        functions = [extractor.spectrogram, *[extractor.reconstruct] * bool(features.layout.error)]
        columns = max(1, count * self._columns // self._size)
        self._averages = [(compute, Average(extractor.config.spectrogram.bands.count, columns)) for compute in functions]

    def add(self, block: NDArray[Any]) -> None:
        """Add the next samples (samples,)."""
        place = (self._begin + len(self._held) + np.arange(len(block))) * len(self.lowest) // self._count
        np.minimum.at(self.lowest, np.minimum(place, len(self.lowest) - 1), block)
        np.maximum.at(self.highest, np.minimum(place, len(self.lowest) - 1), block)
        self._held = np.concatenate([self._held, block])
        complete = self._facts["position"] + self._size <= self._begin + len(self._held)
        facts, self._facts = self._facts[complete], self._facts[~complete]
        windows = self._held[(facts["position"] - self._begin)[:, None] + np.arange(self._size)]
        leveled = ((windows - facts["offset"][:, None]) * facts["gain"][:, None]).astype(np.float32)
        for compute, average in self._averages if len(facts) else ():
            for image, first in zip(compute(leveled), facts["position"] * self._columns // self._size, strict=True):
                average.add(image, first + np.arange(self._columns))
        left = len(self._held) if not len(self._facts) else max(0, int(self._facts["position"][0]) - self._begin)
        self._held, self._begin = self._held[left:], self._begin + min(left, len(self._held))

    @property
    def images(self) -> list[NDArray[np.float64]]:
        """The spectrogram and, where there is a decoder, what it made of it: standardised, (bands, width) each."""
        return [average.image for _, average in self._averages]
