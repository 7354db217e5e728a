"""Windows for the verification of a model: from a recording or, if there is none, from a synthetic voice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevoice_export.data.corpus import read_file
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.data.sampler import WindowSampler

_SECONDS = 10


def recorded_spectrograms(path: Path, preprocessing: Preprocessing, most: int) -> NDArray[np.float32]:
    """Spectrograms of windows of a recording, evenly spaced: float32 (at most `most`, 1, bands, columns).

    Raises:
        AudioError: the recording cannot be read, or is shorter than one window.
    """
    audio = preprocessing.audio
    return _spectrograms(read_file(path, audio.rate, audio.window), preprocessing, most)


def synthetic_spectrograms(preprocessing: Preprocessing, most: int) -> NDArray[np.float32]:
    """Spectrograms of a synthetic voice, always the same: a gliding buzz through moving resonances, pauses and breath."""
    rate, seconds = preprocessing.audio.rate, max(_SECONDS, 8 * preprocessing.audio.window / preprocessing.audio.rate)
    time = np.arange(int(rate * seconds)) / rate
    pitch = 120 * 2 ** (0.5 * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = np.zeros_like(time)
    for harmonic in range(1, int(rate / 2 / 180)):
        frequency = harmonic * pitch
        strength = sum(
            np.exp(-(((frequency - centre * (1 + 0.3 * np.sin(2 * np.pi * speed * time))) / 150) ** 2))
            for centre, speed in ((500, 1.1), (1500, 1.7), (2500, 0.9), (3500, 0.5))
        )
        voice += (strength + 0.02) / harmonic * np.sin(harmonic * phase)
    voice *= np.clip(np.sin(2 * np.pi * 1.3 * time) + 0.3, 0, 1)
    voice += 1e-3 * np.random.default_rng(0).standard_normal(len(time))
    samples = np.rint(voice / np.abs(voice).max() * 16000).astype(np.int16)
    return _spectrograms(samples, preprocessing, most)


def _spectrograms(samples: NDArray[np.int16], preprocessing: Preprocessing, most: int) -> NDArray[np.float32]:
    windows = WindowSampler([samples], preprocessing)
    return windows.spectrograms(windows.grid(preprocessing.level.default, most))
