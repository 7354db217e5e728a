"""The shipped lamprou-64: another rate, window, level and network through the same runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import edgevoice


def test_windows_one_after_another_live_as_from_a_file(speech: Path) -> None:
    extractor = edgevoice.load("lamprou-64")
    features = extractor.extract(speech)
    samples, rate = soundfile.read(speech, dtype="float32")
    count = len(samples) * 8000 // rate // 30_000
    assert features.values.shape == (count, 64 + 200)
    assert features.position.tolist() == [30_000 * k for k in range(count)]
    stream = extractor.stream(rate=rate)
    chunks = [stream.push(samples[k : k + 509]).values for k in range(0, len(samples), 509)]
    assert np.array_equal(np.concatenate([*chunks, stream.finish().values]), features.values)


def test_loudness_and_offset_do_not_matter(speech: Path) -> None:
    """The level is each window's own mean and peak."""
    extractor = edgevoice.load("lamprou-64")
    samples = soundfile.read(speech)[0][::2]  # taken as 8 kHz: a resampler would ring at the step to the offset
    quiet = extractor.extract((0.01 * samples + 0.2, 8000))
    np.testing.assert_allclose(quiet.bottleneck, extractor.extract((samples, 8000)).bottleneck, atol=1e-3)
