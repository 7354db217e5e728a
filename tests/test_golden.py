"""Front end and level against numbers that were computed without EdgeVoice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgevoice

KEYS = {"mean_rate": 0.05, "decay": 0.998, "peak_floor": 0.001}


def test_level_and_spectrogram_are_those_of_the_definition(root: Path, tiny: edgevoice.Extractor, speech: Path) -> None:
    assert {key: getattr(tiny.config.level, key) for key in KEYS} == KEYS
    with np.load(root / "tests" / "golden" / "definition.npz") as golden:
        count = len(golden["offset"])
        features = tiny.extract(speech)[:count]
        np.testing.assert_allclose(features.gain, golden["gain"], rtol=1e-12)
        np.testing.assert_allclose(features.offset, golden["offset"], rtol=1e-12, atol=1e-15)
        import soundfile

        samples, _ = soundfile.read(speech, dtype="float32")
        windows = np.lib.stride_tricks.sliding_window_view(samples, 8000)[features.position].astype(np.float64)
        found = tiny.spectrogram((windows - features.offset[:, None]) * features.gain[:, None])
        assert np.abs(found - golden["spectrogram"]).max() == pytest.approx(0, abs=1e-4)
