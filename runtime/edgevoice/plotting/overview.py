"""A recording and its features in one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import RuntimeMissingError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.extractor import Extractor
    from edgevoice.features import Features


def draw_overview(extractor: Extractor, samples: NDArray[Any], features: Features, title: str = "") -> Figure:
    """Waveform, spectrogram, its reconstruction, bottleneck and error over time.

    The two spectrograms show the recording at one level, scaled to its peak; bottleneck and error are those of the
    features, at whatever level these were computed.

    Args:
        extractor: what made the features.
        samples: the recording at the model's rate, one channel, (samples,).
        features: of that recording.
        title: written above.

    Returns:
        A matplotlib figure that belongs to no window; `figure.savefig(path)` writes it.

    Raises:
        RuntimeMissingError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeMissingError("plots need matplotlib, which is not installed: pip install 'edgevoice[plot]'") from error
    audio, bands = extractor.config.audio, extractor.config.spectrogram.bands
    windows = _side_by_side(samples, audio.window, int(features.end[-1]) // audio.window)
    hop = features.seconds[1] - features.seconds[0] if len(features) > 1 else audio.window / audio.rate
    # A frame is drawn over the hop that it ends.
    framed, whole = (features.seconds[0] - hop, features.seconds[-1]), (0.0, windows.size / audio.rate)
    hertz = (bands.low, bands.high)
    rows = [_Row("input", extractor.spectrogram(windows), whole, hertz)]
    if features.layout.error:
        rows.append(_Row("rebuilt", extractor.reconstruct(windows), whole, hertz))
    if features.layout.bottleneck:
        rows.append(_Row(f"bottleneck\n{features.layout.bottleneck} numbers", _scaled(features.bottleneck), framed, None))
    if features.layout.error:
        rows.append(_Row("error (log)", np.log10(features.error.T + 1e-9), framed, hertz))
    figure = Figure(figsize=(10, 1.6 * (len(rows) + 1)), layout="constrained")
    panels = figure.subplots(len(rows) + 1, sharex=True)
    panels[0].set_title(title, loc="left")
    panels[0].plot(np.arange(len(samples)) / audio.rate, samples, linewidth=0.4, color="0.25")
    panels[0].set(ylabel="samples", ylim=(-1, 1), xlim=(0, whole[1]))
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


def _side_by_side(samples: NDArray[Any], window: int, count: int) -> NDArray[np.float32]:
    """The recording as `count` windows, one after another, scaled to its peak; zeros where it ends before."""
    whole = np.zeros(max(1, count) * window, np.float32)
    part = samples[: len(whole)]
    whole[: len(part)] = part / max(float(np.abs(samples).max()), 1e-9)
    return whole.reshape(-1, window)


def _label_hertz(panel: Any, low: float, high: float, count: int, linear: bool) -> None:
    from edgevoice.spectrogram import band_of

    marks = [hertz for hertz in (500, 1000, 2000, 4000, 8000) if low < hertz <= high]
    places = [count * (hertz - low) / (high - low) if linear else band_of(hertz, low, high, count) for hertz in marks]
    panel.set_yticks(places, [f"{hertz / 1000:g} kHz" for hertz in marks])
