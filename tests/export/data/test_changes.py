from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice_export.data.changes import CHANGES, Change, band_limited, changed, coarsely_coded, mp3_coded, noisy
from edgevoice_export.networks import ARCHITECTURES

CAE = ARCHITECTURES["cae"]
FRONT = CAE.preprocessing.front_end


def speech_like(seed: int, samples: int = 8000) -> np.ndarray:
    """Harmonics that fall with frequency, and noise 50 dB below."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 16000
    pitch = rng.uniform(90, 250)
    harmonics = [np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6)) / k for k in range(1, int(7900 / pitch))]
    return 0.3 * np.sum(harmonics, axis=0) + 1e-3 * rng.standard_normal(samples)


def image(window: np.ndarray) -> np.ndarray:
    return FRONT.compute(window.astype(np.float32)[None])[0]


@given(kind=st.sampled_from(list(CHANGES)), seed=st.integers(0, 2**62), samples=st.integers(600, 9000), loud=st.booleans())
def test_a_change_follows_from_its_seed_and_keeps_the_length(kind: str, seed: int, samples: int, loud: bool):
    window = speech_like(1, samples) if loud else np.zeros(samples)
    one, two = (changed(window, 16000, 0.3, Change(kind, seed)) for _ in range(2))
    assert one.shape == window.shape
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(one, two)


@given(seed=st.integers(0, 2**32))
def test_nothing_is_left_far_above_the_band(seed: int):
    whole, narrow = (np.abs(np.fft.rfft(window, 16000)) ** 2 for window in (speech_like(3), limited(seed)))
    power = narrow / whole.max()
    edge = int(np.flatnonzero(power > 1e-5).max())  # hertz
    assert power[min(8000, round(edge * 1.6) + 50) :].sum() < 1e-2
    assert power[:1500].sum() > 0.05 * (whole / whole.max())[:1500].sum()


def limited(seed: int) -> np.ndarray:
    return band_limited(speech_like(3), 16000, np.random.default_rng(seed))


@given(seed=st.integers(0, 2**32))
def test_coding_leaves_the_loud_and_cuts_the_quiet(seed: int):
    window = speech_like(seed % 7)
    coded = coarsely_coded(window, np.random.default_rng(seed))
    before, after = image(window), image(coded)
    loud = before > np.quantile(before, 0.95)
    assert np.abs(after - before)[loud].mean() < 0.05, "1 is 250 dB"
    noise = np.square(coded - window).mean() / np.square(window).mean()
    assert 1e-7 < noise < 0.3


@given(seed=st.integers(0, 2**32), samples=st.integers(1, 9000))
def test_mp3_keeps_length_and_place(seed: int, samples: int):
    window = speech_like(seed % 7, samples)
    coded = mp3_coded(window, 16000, np.random.default_rng(seed))
    assert coded.shape == window.shape
    if samples >= 2000:
        noise = np.square(coded - window).mean() / np.square(window).mean()
        assert 1e-7 < noise < 0.04, "a shift by one sample alone is 0.05"


@pytest.mark.parametrize("peak", [1.0, 0.01])
def test_noise_goes_by_the_peak_of_the_level(peak: float):
    sizes = [np.std(noisy(np.zeros(8000), peak, np.random.default_rng(seed))) for seed in range(50)]
    decibels = 20 * np.log10(np.array(sizes) / peak)
    assert -55.1 < decibels.min() < -45
    assert -35 < decibels.max() < -24.9
