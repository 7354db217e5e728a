"""The figures that DisVoice shows of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice.errors import MissingPackageError
from edgevoice.frontend import band_of, mel_corners

_MARKS = (0, 500, 1000, 2000, 4000, 8000)
"""Frequencies that are marked on the axes, in hertz."""

Images = NDArray[np.float32]


def show_windows(spectrograms: Images, config: ModelConfig) -> None:
    """Show a figure for each spectrogram, (windows, bands, columns).

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    plt = _pyplot()
    milliseconds = 1000 * config.audio.window / config.audio.rate
    for image in spectrograms:
        _, panel = plt.subplots(figsize=(5, 5), layout="constrained")
        _draw(panel, image, milliseconds, config)
        panel.set_xlabel("Time (ms)")
    plt.show()


def show_recording(spectrograms: Images, rebuilt: Images, config: ModelConfig) -> None:
    """Show input and decoded spectrograms of a recording, and the reconstruction error over frequency.

    Args:
        spectrograms: standardised, (windows, bands, columns).
        rebuilt: what the decoder made of them, of the same shape.
        config: of the model.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    plt = _pyplot()
    audio = config.audio
    # Windows overlap: those that follow each other without an overlap are drawn side by side.
    stride = max(1, audio.window // audio.hop)
    before, after = (np.concatenate(list(images[::stride]), axis=1) for images in (spectrograms, rebuilt))
    seconds = before.shape[1] / spectrograms.shape[2] * audio.window / audio.rate

    _, panels = plt.subplots(2, 1, sharex=True, figsize=(8, 4), layout="constrained")
    for panel, image, title in zip(panels, (before, after), ("Input spectrogram", "Decoded spectrogram"), strict=True):
        _draw(panel, image, seconds, config)
        panel.set_title(title)
    panels[-1].set_xlabel("Time (s)")

    squared = (before - after) ** 2
    mean, deviation = squared.mean(axis=1), squared.std(axis=1)
    _, panel = plt.subplots(figsize=(5, 4), layout="constrained")
    centres = mel_corners(config.spectrogram.bands)[1:-1]
    panel.plot(centres, mean, color="black")
    panel.fill_between(centres, mean - deviation, mean + deviation, color="black", alpha=0.2)
    panel.set(xlabel="Frequency (Hz)", ylabel="Mean squared reconstruction error")
    panel.grid(visible=True)
    plt.show()


def _draw(panel: Any, image: Images, length: float, config: ModelConfig) -> None:
    """Draw an image over time, with its bands marked by the frequencies of the model's filters."""
    bands = config.spectrogram.bands
    panel.imshow(image, origin="lower", aspect="auto", extent=(0.0, length, 0.0, float(bands.count)))
    marks = [hertz for hertz in _MARKS if bands.low <= hertz <= bands.high]
    panel.set_yticks([band_of(hertz, bands.low, bands.high, bands.count) for hertz in marks], map(str, marks))
    panel.set_ylabel("Frequency (Hz)")


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError("plots need matplotlib, which is not installed: pip install matplotlib") from error
    return plt
