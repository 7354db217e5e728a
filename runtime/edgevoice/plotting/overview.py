"""A figure of a recording and its features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.levels import find_level
from edgevoice.plotting.figurefile import new_figure, styled
from edgevoice.plotting.timeaxis import WIDTH, Average, TimeAxis, draw_code, draw_image, in_decibels, label_hertz
from edgevoice.windows import Windower, Windows

Blocks = Callable[[], Iterator[NDArray[Any]]]

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.extractor import Extractor
    from edgevoice.features import Features


@styled
def draw_overview(
    extractor: Extractor,
    samples: NDArray[Any] | Blocks,
    features: Features,
    title: str = "",
    level: str | float | None = None,
) -> Figure:
    """Draw waveform, spectrogram, reconstruction, their difference, bottleneck and error over time.

    The spectrograms show windows side by side, each at its own level: what the networks took, and made of it. A frame is
    drawn at the middle of its window, as wide as the hop. All is averaged to the width of the picture while it is computed,
    so that three hours take no more memory than a minute.

    Args:
        extractor: what made the features.
        samples: the recording at the model's rate, one channel, float (samples,); or a function that gives it from its
            start in blocks (samples,), each time that it is called.
        features: of that recording; it begins with the first of their windows.
        title: written above.
        level: that of the features, as in `Extractor.extract`.
        options: style, size and dpi, a `PictureOptions`.

    Returns:
        A matplotlib figure that no window shows; `figure.savefig(path)` writes it.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    audio, spectrogram = extractor.config.audio, extractor.config.spectrogram
    blocks: Blocks = samples if callable(samples) else lambda: iter([np.asarray(samples)])
    with_error, with_code = bool(features.error.shape[1]), bool(features.bottleneck.shape[1])
    recording = _Drawn(extractor, blocks, level, with_error)
    first = float(features.start[0])
    whole = (first, first + recording.windows * audio.window / audio.rate)
    scale, offset, unit = in_decibels(spectrogram)
    taken, rebuilt = recording.spectrogram.image, recording.reconstruction.image
    names = ["samples", "input", *["rebuilt", "difference"] * with_error, *["bottleneck"] * with_code]
    names += ["error"] * with_error
    figure = new_figure(10, 1.5 * len(names))
    grid = figure.add_gridspec(len(names), 2, width_ratios=(80, 1))
    panels: dict[str, Any] = {}
    for k, name in enumerate(names):
        panels[name] = panel = figure.add_subplot(grid[k, 0], sharex=panels.get("samples"))
        panel.tick_params(labelbottom=k == len(names) - 1)
        panel.set_ylabel(name)
    _draw_samples(panels["samples"], recording, first, audio.rate)
    panels["samples"].set_title(title, loc="left")
    panels["samples"].set_xlim(first, max(whole[1], features.end[-1]))
    panel.set_xlabel("seconds")

    limits = (scale * taken.min() + offset, scale * taken.max() + offset)
    images = {"input": (scale * taken + offset, limits, "magma")}
    if with_error:
        largest = scale * max(0.02, float(np.quantile(np.abs(rebuilt - taken), 0.99)))
        images["rebuilt"] = (scale * rebuilt + offset, limits, "magma")
        images["difference"] = (scale * (rebuilt - taken), (-largest, largest), "PuOr_r")
    for name, (image, ends, colours) in images.items():
        drawn = draw_image(panels[name], image, whole, ends, colours)
        label_hertz(panels[name], spectrogram.bands)
        _add_bar(figure, drawn, grid[names.index(name), 1], unit)
    axis = TimeAxis(features)
    if with_code:
        known = extractor.typical
        code, units = features.bottleneck, features.bottleneck.shape[1]
        mean, spread = (known.mean, known.spread) if known else (code.mean(axis=0), code.std(axis=0))
        drawn = draw_code(axis, panels["bottleneck"], code, mean[:units], spread[:units])
        _add_bar(figure, drawn, grid[names.index("bottleneck"), 1], "deviations")
    if with_error:
        _draw_error(panels["error"], axis, features.error, scale, unit)
    axis.mark(panels[names[-1]], features)
    return figure


def _add_bar(figure: Figure, drawn: Any, place: Any, unit: str) -> None:
    bar = figure.colorbar(drawn, cax=figure.add_subplot(place))
    bar.set_label(unit, fontsize="x-small")
    bar.ax.tick_params(labelsize="x-small")


def _draw_samples(panel: Any, recording: _Drawn, first: float, rate: int) -> None:
    seconds = first + (np.arange(len(recording.lowest)) + 0.5) * recording.count / max(1, len(recording.lowest)) / rate
    peak = max(0.01, -recording.lowest.min(), recording.highest.max())
    panel.fill_between(seconds, recording.lowest, recording.highest, linewidth=0.4, color="0.5")
    panel.set_ylim(-1.05 * peak, 1.05 * peak)


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
    """The images of a recording, computed window by window."""

    def __init__(self, extractor: Extractor, blocks: Blocks, level: str | float | None, with_error: bool) -> None:
        config, batch, self._with_error = extractor.config, 64, with_error
        mean, low, high, self.count = _statistics(blocks)
        size = config.audio.window
        self.windows = self.count // size
        columns = self.windows * config.columns
        self.spectrogram = Average(config.spectrogram.bands.count, columns)
        self.reconstruction = Average(config.spectrogram.bands.count, columns)
        places = min(self.count, 4 * WIDTH)
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
        if self._with_error:
            self.reconstruction.add(np.concatenate(list(extractor.reconstruct(leveled)), axis=1))


def _statistics(blocks: Blocks) -> tuple[float, float, float, int]:
    """Mean, lowest and highest sample, and the number of samples."""
    total, low, high, count = 0.0, np.inf, -np.inf, 0
    for block in blocks():
        if len(block):
            total += float(block.sum(dtype=np.float64))
            low, high, count = min(low, float(block.min())), max(high, float(block.max())), count + len(block)
    return total / max(1, count), low, high, count
