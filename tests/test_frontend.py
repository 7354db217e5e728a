"""The spectrogram against librosa, and what a stream relies on: bits, buffers."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice import ModelConfig, ModelConfigError
from edgevoice.config import BandsConfig
from edgevoice.frontend import FrontEnd, mel_filters
from tinymodel import settings as tiny_settings

FILES = dict.fromkeys(("encoder.onnx", "decoder.onnx"), "sha256:" + "0" * 64)
RATE, WINDOW = 16000, 8000


def front_end(floor: float | None) -> FrontEnd:
    logarithm = None if floor is None else {"floor": floor}
    config = ModelConfig.from_dict(tiny_settings(files=FILES, spectrogram={"logarithm": logarithm}))
    return FrontEnd(config.spectrogram, config.audio)


def log_units(standardised: np.ndarray) -> np.ndarray:
    return standardised.astype(np.float64) * 57.3834559 - 50.527256


def librosa_log(window: np.ndarray) -> np.ndarray:
    librosa = pytest.importorskip("librosa", reason="librosa is not installed")
    power = librosa.feature.melspectrogram(y=window.astype(np.float64), sr=RATE, n_fft=512, hop_length=64, n_mels=128)
    with np.errstate(divide="ignore"):
        return np.log(power)


def eight_kilohertz(shared: Path) -> np.ndarray:
    librosa = pytest.importorskip("librosa", reason="librosa is not installed")
    samples, rate = soundfile.read(shared / "reference" / "OSR_us_000_0030_8k.wav", dtype="float32")
    return librosa.resample(samples[: 4 * rate], orig_sr=rate, target_sr=RATE, res_type="soxr_hq")


@pytest.fixture(params=["speech", "noise", "tones", "impulse", "constant", "8 kHz speech"])
def signal(request: pytest.FixtureRequest, speech: Path) -> np.ndarray:
    time = np.arange(RATE) / RATE
    if request.param == "speech":
        return soundfile.read(speech, dtype="float32")[0]
    if request.param == "8 kHz speech":
        return eight_kilohertz(request.getfixturevalue("shared"))
    return {
        "noise": np.random.default_rng(0).standard_normal(RATE) * 0.1,
        "tones": sum(0.2 * np.sin(2 * np.pi * hertz * time) for hertz in (110, 440, 1000, 3520, 7040)),
        "impulse": (np.arange(RATE) == 4321).astype(np.float64),
        "constant": np.full(RATE, 0.25),
    }[request.param].astype(np.float32)


def test_equals_librosa_without_a_floor(signal: np.ndarray) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[::4000]
    # The smallest floor that float32 holds: below it, where librosa has minus infinity, nothing can be compared.
    ours = log_units(front_end(1e-37).compute(windows))
    reference = np.stack([librosa_log(window) for window in windows])
    heard = reference > np.log(1e-30)
    # Between -70 and 0, float32's standardised value resolves 3e-6 log units; a column of silence has no bands.
    np.testing.assert_allclose(ours[heard], reference[heard], rtol=0, atol=1e-5)
    assert heard.any()


def test_is_floored_exactly(signal: np.ndarray) -> None:
    floor = 1e-4
    window = signal[:WINDOW]
    ours, reference = front_end(floor).compute(window[None])[0], librosa_log(window)
    lowest = (np.log(np.float32(floor)) + np.float32(50.527256)) / np.float32(57.3834559)
    below = reference < np.log(floor) - 1e-4
    assert (ours[below] == lowest).all()
    assert (ours >= lowest).all()
    above = reference > np.log(floor) + 1e-4
    np.testing.assert_allclose(log_units(ours)[above], reference[above], rtol=0, atol=1e-5)


def test_filters_equal_librosas() -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is not installed")
    for count, low, high in ((128, 0, 8000), (40, 0, 8000), (64, 300, 3400)):
        ours = mel_filters(BandsConfig("slaney", count, low, high), RATE, 512)
        theirs = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=count, fmin=low, fmax=high, dtype=np.float64)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def test_a_window_has_the_same_bits_in_any_batch(noise: np.ndarray) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(noise, WINDOW)[::1234][:40]
    spectrogram = front_end(1e-10)
    together = spectrogram.compute(windows, 0.01, 2.0)
    for size in (1, 2, 7):
        apart = [spectrogram.compute(windows[k : k + size], 0.01, 2.0) for k in range(0, len(windows), size)]
        assert np.concatenate(apart).tobytes() == together.tobytes()


def test_offset_and_gain_are_applied_to_each_window(noise: np.ndarray) -> None:
    windows = noise[: 3 * WINDOW].reshape(3, WINDOW)
    offset, gain = np.array([0.1, -0.2, 0.0]), np.array([1.0, 3.0, 0.5])
    spectrogram = front_end(1e-10)
    moved = (windows.astype(np.float64) - offset[:, None]) * gain[:, None]
    assert spectrogram.compute(windows, offset, gain).tobytes() == spectrogram.compute(moved).tobytes()


def test_nothing_of_a_windows_size_is_allocated_per_window(noise: np.ndarray) -> None:
    spectrogram = front_end(1e-10)
    window, out = noise[None, :WINDOW], np.empty((1, 128, 126), np.float32)
    spectrogram.compute(window, 0.01, 2.0, out)
    tracemalloc.start()
    try:
        spectrogram.compute(window, 0.01, 2.0, out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < window.nbytes / 2


def test_bands_narrower_than_a_bin_are_refused() -> None:
    config = ModelConfig.from_dict(tiny_settings(files=FILES, spectrogram={"fft": 128, "padding": 64}))
    with pytest.raises(ModelConfigError, match="narrower than a bin"):
        FrontEnd(config.spectrogram, config.audio)
