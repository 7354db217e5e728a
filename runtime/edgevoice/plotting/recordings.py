"""Figures of recordings over time: one with all its parts, or several one below the other; `edgevoice.plot`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.files import AudioInput, open_source, resampled
from edgevoice.errors import ArgumentError
from edgevoice.extractor import Extractor, load
from edgevoice.features import Features
from edgevoice.plotting.figurefile import PictureOptions, new_figure, styled
from edgevoice.plotting.timeaxis import WIDTH, Average, TimeAxis, draw_image, in_decibels, label_hertz

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 24
"""Largest number of recordings in one figure."""


@styled
def draw_overview(extractor: Extractor, blocks: Iterable[NDArray[Any]], features: Features, title: str = "") -> Figure:
    """Draw waveform, spectrogram, reconstruction, their difference, bottleneck and error over time.

    The spectrograms show windows side by side, each at its own level: what the networks took, and made of it, averaged to
    the width of the picture while they are computed. A frame is drawn at the middle of its window, as wide as the hop.

    Args:
        extractor: what made the features.
        blocks: the recording at the model's rate, one channel, in blocks (samples,).
        features: of that recording, whole.
        title: written above.
    """
    spectrogram, axis, code = extractor.config.spectrogram, TimeAxis(features), features.bottleneck
    first, last = features.extent or (float(features.start[0]), float(features.end[-1]))
    lowest, highest, (taken, *others) = _averaged(extractor, features, blocks, round((last - first) * features.layout.rate))
    names = ["samples", "input", *["rebuilt", "difference"] * len(others), *["bottleneck"] * bool(code.size)]
    names += ["error"] * len(others)
    figure = new_figure(10, 1.5 * len(names))
    panels = dict(zip(names, figure.subplots(len(names), sharex=True), strict=True))
    for name, panel in panels.items():
        panel.set_ylabel(name)
    panels["samples"].set_title(title, loc="left")
    panels["samples"].set_xlim(first, last)
    panels[names[-1]].set_xlabel("seconds")

    seconds = np.linspace(first, last, 2 * len(lowest) + 1)[1::2]
    peak = max(0.01, -lowest.min(), highest.max())
    panels["samples"].fill_between(seconds, lowest, highest, linewidth=0.4, color="0.5")
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
    recordings: Sequence[tuple[str, Features]], title: str = "", extractor: Extractor | None = None
) -> Figure:
    """Draw bottleneck and reconstruction error of several recordings, one below the other.

    All have the same time axis and the same colours, which bars at the side explain. A frame is drawn at the middle of its
    window, as wide as the hop.

    Args:
        recordings: the name and the features of each, 1 to 24, all of one model.
        title: written above.
        extractor: what made them. It says what the bottleneck's standard deviations are counted from, these recordings' own
            mean and spread if None, and what frequencies the errors are of; the bands have numbers if None.

    Raises:
        ArgumentError: there are none, or too many, or one has no frame, or they are of several models.
    """
    if not 1 <= len(recordings) <= MOST:
        raise ArgumentError(f"{len(recordings)} recordings: expected 1 to {MOST} in one figure (edgevoice map shows more)")
    names = extractor.layout.names if extractor else recordings[0][1].names
    for name, features in recordings:
        if not len(features):
            raise ArgumentError(f"{name or 'features'}: no frame, so there is nothing to draw")
        if features.names != names:
            raise ArgumentError(f"{name or 'features'}: has other descriptors than the others: expected those of one model")
    kinds = [group.name for group in recordings[0][1].layout.groups if group.count]
    figure = new_figure(6 * len(kinds), max(3.2, 1.2 + 1.1 * len(recordings)))
    panels = figure.subplots(len(recordings), len(kinds), sharex=True, squeeze=False)
    figure.suptitle(title, x=0.01, ha="left")
    for column, kind in enumerate(kinds):
        values = np.concatenate([getattr(features, kind) for _, features in recordings])
        typical = (extractor and extractor.typical) or (values.mean(axis=0), values.std(axis=0))
        for panel, (_, features) in zip(panels[:, column], recordings, strict=True):
            axis = TimeAxis(features)
            if kind == "bottleneck":
                drawn = axis.draw_code(panel, features.bottleneck, typical)
            else:
                limits = np.log10(values.min() + 1e-9), np.log10(values.max() + 1e-9)
                drawn = axis.draw_image(panel, np.log10(features.error + 1e-9), limits, "magma")
                if extractor is not None:
                    label_hertz(panel, extractor.config.spectrogram.bands)
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


def _averaged(
    extractor: Extractor, features: Features, blocks: Iterable[NDArray[Any]], count: int
) -> tuple[NDArray[Any], NDArray[Any], list[NDArray[np.float64]]]:
    """Of a recording of `count` samples, in blocks: lowest and highest samples, and images (bands, width).

    The images are the spectrogram and, where there is a decoder, what it made of it: standardised.
    """
    size, columns = extractor.config.audio.window, extractor.config.columns
    # Windows side by side, or as little over each other as the hop allows.
    place, k, chosen = features.position, 0, []
    while k < len(place):
        chosen.append(k)
        k = max(k + 1, int(np.searchsorted(place, place[k] + size, side="right")) - 1)
    left = features.facts[chosen]
    left["position"] -= features.position[0]
    lowest, highest = np.full((2, min(count, 4 * WIDTH)), [[np.inf], [-np.inf]])
    functions = [extractor.spectrogram, *[extractor.reconstruct] * bool(features.layout.error)]
    bands, width = extractor.config.spectrogram.bands.count, max(1, count * columns // size)
    averages = [(compute, Average(bands, width)) for compute in functions]
    held, begin = np.empty(0, np.float32), 0
    for block in blocks:
        bins = np.minimum((begin + len(held) + np.arange(len(block))) * len(lowest) // count, len(lowest) - 1)
        np.minimum.at(lowest, bins, block)
        np.maximum.at(highest, bins, block)
        held = np.concatenate([held, block])
        complete = left["position"] + size <= begin + len(held)
        facts, left = left[complete], left[~complete]
        windows = held[(facts["position"] - begin)[:, None] + np.arange(size)]
        leveled = ((windows - facts["offset"][:, None]) * facts["gain"][:, None]).astype(np.float32)
        for compute, average in averages if len(facts) else ():
            for image, first in zip(compute(leveled), facts["position"] * columns // size, strict=True):
                average.add(image, first + np.arange(columns))
        used = len(held) if not len(left) else max(0, int(left["position"][0]) - begin)
        held, begin = held[used:], begin + min(used, len(held))
    return lowest, highest, [average.image for _, average in averages]


def plot(
    what: Features | list[Features] | AudioInput,
    extractor: Extractor | None = None,
    *,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    dpi: float = 120,
    style: str = "paper",
) -> Figure:
    """Draw features or a recording as a matplotlib figure; a notebook shows it, `figure.savefig(path)` writes it.

    Features are drawn as bottleneck and error over time; several, up to 24, one below the other with the same colours. A
    recording is drawn with its waveform, its spectrogram, what the decoder made of it, the difference, bottleneck and error.

    Args:
        what: features, several of one model, or a recording as `Extractor.extract` takes it.
        extractor: for a recording; the default model if None. For features, it gives scales: frequencies and typical values.
        title: written above; None is the name of what is drawn.
        size: width and height in inches.
        dpi: pixels per inch.
        style: `paper`, on white, or `dark`.

    Raises:
        ArgumentError: there is no frame, or an option is outside what is allowed.
        AudioError: the recording cannot be used.
        MissingPackageError: matplotlib is not installed.
    """
    options = PictureOptions(title, dpi, size, style)
    several = [what] if isinstance(what, Features) else what
    if isinstance(several, list):
        if not several or not all(isinstance(one, Features) for one in several):
            raise ArgumentError("plot: expected features, a list of features, or audio")
        recipe = several[0].recipe
        given = title if title is not None else recipe.model if recipe else ""
        return draw_comparison([(one.source, one) for one in several], given, extractor, options=options)
    extractor = extractor or load()
    with open_source(several) as source:
        features = extractor.extract(source)
        name = title if title is not None else " · ".join(filter(None, [Path(source.name).name, extractor.config.name]))
        rate = extractor.config.audio.rate
        return draw_overview(extractor, resampled(source, rate, None), features, name, options=options)
