"""The shipped lamprou-64: another rate, window, level and network through the same runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.errors import AudioTooShortError


@pytest.fixture(scope="module")
def extractor(root: Path) -> edgevoice.Extractor:
    folder = root / "models" / "lamprou-64"
    if not (folder / "encoder.onnx").is_file():
        pytest.skip("lamprou-64 is not in the checkout")
    return edgevoice.load(folder)


def test_windows_one_after_another(extractor: edgevoice.Extractor, speech: Path) -> None:
    features = extractor.extract(speech)
    samples, rate = soundfile.read(speech)
    count = len(samples) * 8000 // rate // 30_000
    assert features.values.shape == (count, 64 + 200)
    assert features.position.tolist() == [30_000 * k for k in range(count)]
    assert np.isfinite(features.values).all()


def test_live_equals_file(extractor: edgevoice.Extractor, speech: Path) -> None:
    samples, rate = soundfile.read(speech, dtype="float32")
    stream = extractor.stream(rate=rate)
    chunks = [stream.push(samples[k : k + 509]).values for k in range(0, len(samples), 509)]
    live = np.concatenate([*chunks, stream.finish().values])
    assert np.array_equal(live, extractor.extract(speech).values)


def test_shorter_than_a_window(extractor: edgevoice.Extractor) -> None:
    second = (np.random.default_rng(0).normal(scale=0.1, size=8000), 8000)
    with pytest.raises(AudioTooShortError, match=r"3\.75 s"):
        extractor.extract(second)
    padded = (np.pad(second[0], (0, 22_000)), 8000)
    assert np.array_equal(extractor.extract(second, pad=True).values, extractor.extract(padded).values)


def test_loudness_and_offset_do_not_matter(extractor: edgevoice.Extractor, speech: Path) -> None:
    """The level is each window's own mean and peak."""
    samples = soundfile.read(speech)[0][::2]  # taken as 8 kHz: a resampler would ring at the step to the offset
    quiet = extractor.extract((0.01 * samples + 0.2, 8000))
    np.testing.assert_allclose(quiet.bottleneck, extractor.extract((samples, 8000)).bottleneck, atol=1e-3)
