"""The 74 x 200 front end against pyAudioAnalysis itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.frontend import FrontEnd
from edgevoice.levels import Window
from edgevoice.modelfolder import find_model

# 0.3.11: from 0.3.13 on, it starts at the first sample and has 75 rows.
pytest.importorskip("pyAudioAnalysis.ShortTermFeatures", reason="pyAudioAnalysis is not installed")

from pyAudioAnalysis import ShortTermFeatures

WINDOW = 30_000
TOLERANCE = 1e-7  # float32 against float64, of values below 1: half a step is 6e-8 at the most


def ours(samples: np.ndarray) -> np.ndarray:
    """Spectrogram (200, 74) of 16-bit values (30 000,), at the level of the window."""
    config = find_model("lamprou-64").config
    window = samples.astype(np.float32) / 2**15
    offset, gain = Window(config.level).track(window)(0, len(window))
    return FrontEnd(config.spectrogram, config.audio).compute(window[None], offset, gain)[0]


def theirs(samples: np.ndarray) -> np.ndarray:
    """pyAudioAnalysis's, turned to (200, 74)."""
    return ShortTermFeatures.spectrogram(samples, 8000, 400, 400)[0].T


def noise(peak: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-peak, peak + 1, WINDOW).astype(np.int16)


SIGNALS = {
    "noise": noise(32767),
    "faint noise": noise(3),
    "offset": (noise(1000) + 20_000).astype(np.int16),
    "tone": np.round(32767 * np.sin(2 * np.pi * 440 * np.arange(WINDOW) / 8000)).astype(np.int16),
    "click": np.where(np.arange(WINDOW) == 15_000, 32767, 0).astype(np.int16),
    "full scale": np.where(np.arange(WINDOW) % 40 < 20, 32767, -32768).astype(np.int16),
    "padded": np.pad(noise(20_000)[:11_000], (0, WINDOW - 11_000)),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_equal_to_pyaudioanalysis(name: str) -> None:
    expected = theirs(SIGNALS[name])
    assert expected.shape == (200, 74)
    np.testing.assert_allclose(ours(SIGNALS[name]), expected, rtol=0, atol=TOLERANCE)


def test_equal_to_pyaudioanalysis_on_speech(speech: Path) -> None:
    samples, _ = soundfile.read(speech, dtype="int16")
    for start in range(0, len(samples) - WINDOW + 1, WINDOW):
        piece = samples[start : start + WINDOW]
        np.testing.assert_allclose(ours(piece), theirs(piece), rtol=0, atol=TOLERANCE)


def test_digital_silence_is_zero() -> None:
    assert not ours(np.zeros(WINDOW, np.int16)).any()
