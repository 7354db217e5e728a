"""The figures that DisVoice shows of a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice.errors import MissingPackageError


def show_spectrograms(spectrograms: NDArray[np.float32], rebuilt: NDArray[np.float32], config: ModelConfig) -> None:
    """Show input and decoded spectrograms of a recording, and the reconstruction error over frequency.

    Args:
        spectrograms: standardised, (windows, bands, columns).
        rebuilt: what the decoder made of them, of the same shape.
        config: of the model.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError("plots need matplotlib, which is not installed: pip install 'edgevoice[plot]'") from error
    audio, bands = config.audio, config.spectrogram.bands
    # Windows overlap: those that follow each other without an overlap are drawn side by side.
    stride = max(1, audio.window // audio.hop)
    before, after = (np.concatenate(list(images[::stride]), axis=1) for images in (spectrograms, rebuilt))
    seconds = before.shape[1] / spectrograms.shape[2] * audio.window / audio.rate
    place = (0.0, seconds, 0.0, float(bands.count))

    _, panels = plt.subplots(2, 1, sharex=True, figsize=(8, 4), layout="constrained")
    for panel, image, title in zip(panels, (before, after), ("Input spectrogram", "Decoded spectrogram"), strict=True):
        panel.imshow(image, origin="lower", aspect="auto", extent=place)
        panel.set(title=title, ylabel="Mel band")
    panels[-1].set_xlabel("Time (s)")

    squared = (before - after) ** 2
    mean, deviation = squared.mean(axis=1), squared.std(axis=1)
    _, panel = plt.subplots(figsize=(5, 4), layout="constrained")
    panel.plot(mean, color="black")
    panel.fill_between(np.arange(bands.count), mean - deviation, mean + deviation, color="black", alpha=0.2)
    panel.set(xlabel="Mel band", ylabel="Mean squared reconstruction error")
    panel.grid(visible=True)
    plt.show()
