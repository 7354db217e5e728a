"""A recording and its features in one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.levels import find_level
from edgevoice.plotting.figurefile import new_figure
from edgevoice.windows import Windower, Windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.config import ModelConfig
    from edgevoice.extractor import Extractor
    from edgevoice.features import Features


def draw_overview(
    extractor: Extractor,
    samples: NDArray[Any],
    features: Features,
    title: str = "",
    level: str | float | None = None,
) -> Figure:
    """Waveform, spectrogram, its reconstruction, bottleneck and error over time.

    The two spectrograms show windows side by side, each at its own level: what the networks took, and made of it.

    Args:
        extractor: what made the features.
        samples: the recording at the model's rate, one channel, float (samples,).
        features: of that recording; it begins with the first of their windows.
        title: written above.
        level: that of the features, as in `Extractor.extract`.

    Returns:
        A matplotlib figure that belongs to no window; `figure.savefig(path)` writes it.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    figure = new_figure(10, 1.6 * (2 + 2 * bool(features.layout.error) + bool(features.layout.bottleneck)))
    audio, bands = extractor.config.audio, extractor.config.spectrogram.bands
    windows = _side_by_side(samples, extractor.config, level)
    hop = features.end[1] - features.end[0] if len(features) > 1 else audio.window / audio.rate
    first = float(features.start[0])
    # A frame is drawn over the hop that it ends.
    framed, whole = (features.end[0] - hop, features.end[-1]), (first, first + windows.size / audio.rate)
    hertz = (bands.low, bands.high)
    rows = [_Row("input", extractor.spectrogram(windows), whole, hertz)]
    if features.layout.error:
        rows.append(_Row("rebuilt", extractor.reconstruct(windows), whole, hertz))
    if features.layout.bottleneck:
        rows.append(_Row(f"bottleneck\n{features.layout.bottleneck} numbers", _scaled(features.bottleneck), framed, None))
    if features.layout.error:
        rows.append(_Row("error (log)", np.log10(features.error.T + 1e-9), framed, hertz))
    panels = figure.subplots(len(rows) + 1, sharex=True)
    panels[0].set_title(title, loc="left")
    panels[0].plot(first + np.arange(len(samples)) / audio.rate, samples, linewidth=0.4, color="0.25")
    panels[0].set(ylabel="samples", ylim=(-1, 1), xlim=(first, max(whole[1], framed[1])))
    panels[-1].set_xlabel("seconds")
    low, high = rows[0].image.min(), rows[0].image.max()
    for panel, row in zip(panels[1:], rows, strict=True):
        image = np.concatenate(list(row.image), axis=1) if row.image.ndim == 3 else row.image
        scale = {"vmin": low, "vmax": high} if row.image.ndim == 3 else {}
        edges = [*row.seconds, 0, len(image)]
        panel.imshow(image, origin="lower", aspect="auto", extent=edges, interpolation="nearest", cmap="magma", **scale)
        panel.set_ylabel(row.label)
        panel.set_yticks([])
        if row.hertz:
            _label_hertz(panel, *row.hertz, len(image), bands.scale == "bins")
    return figure


class _Row(NamedTuple):
    label: str
    image: NDArray[np.floating]
    """(rows, columns), or (windows, bands, columns) to be put side by side."""
    seconds: tuple[float, float]
    hertz: tuple[float, float] | None


def _scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each number by its own mean and spread: some units are a hundred times larger than others."""
    scaled: NDArray[np.float32] = ((values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)).T
    return np.clip(scaled, -3, 3)


def _side_by_side(samples: NDArray[Any], config: ModelConfig, level: str | float | None) -> NDArray[np.float32]:
    """The recording as windows one after another, (n, window), each at its own level: the hop does not change levels."""
    chosen = find_level(level, config.level)
    if chosen.needs_whole:
        chosen = chosen.settled(float(samples.mean(dtype=np.float64)), float(samples.min()), float(samples.max()))

    def leveled(windows: Windows) -> NDArray[np.float32]:
        return ((windows.samples - windows.offset[:, None]) * windows.gain[:, None]).astype(np.float32)

    return np.concatenate(Windower(config, chosen, config.audio.window, 1).push(samples, leveled))


def _label_hertz(panel: Any, low: float, high: float, count: int, linear: bool) -> None:
    from edgevoice.frontend import band_of

    marks = [hertz for hertz in (500, 1000, 2000, 4000, 8000) if low < hertz <= high]
    places = [count * (hertz - low) / (high - low) if linear else band_of(hertz, low, high, count) for hertz in marks]
    panel.set_yticks(places, [f"{hertz / 1000:g} kHz" for hertz in marks])
