"""The figures that DisVoice shows of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice.errors import MissingPackageError
from edgevoice.frontend import mel_corners
from edgevoice.plotting.timeaxis import draw_image, label_hertz

Images = NDArray[np.float32]


def show_windows(spectrograms: Images, config: ModelConfig) -> None:
    """Show a figure for each spectrogram, (windows, bands, columns).

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    plt = _pyplot()
    for image in spectrograms:
        _, panel = plt.subplots(figsize=(5, 5), layout="constrained")
        _draw(panel, image, 1000 * config.audio.window / config.audio.rate, config)
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
    draw_image(panel, image, (0, length), (image.min(), image.max()), "viridis")
    label_hertz(panel, config.spectrogram.bands)


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError("plots need matplotlib, which is not installed: pip install matplotlib") from error
    return plt
