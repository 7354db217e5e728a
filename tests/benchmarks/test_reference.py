"""The check that precedes every benchmark passes what is right and stops what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevoice
from benchmarks.reference import Check, reference_spectrogram
from edgevoice import Extractor, ProviderError
from edgevoice.inference import Networks


def test_passes_what_is_right(tiny: Extractor, noise: np.ndarray) -> None:
    check = Check.of(tiny, noise)
    assert max(check.spectrogram, check.bottleneck, check.error) < 1e-5
    assert check.live is True


@pytest.mark.parametrize("descriptors", ["bottleneck", "error"])
def test_knows_what_was_asked_for(tiny_model: Path, noise: np.ndarray, descriptors: Any) -> None:
    check = Check.of(edgevoice.load(tiny_model, descriptors=descriptors), noise)
    assert (check.bottleneck > 0, check.error > 0) == (descriptors == "bottleneck", descriptors == "error")


@pytest.mark.parametrize("output", ["encode", "decode"])
def test_stops_wrong_numbers(tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    right = getattr(Networks, output)
    monkeypatch.setattr(Networks, output, lambda *arguments: right(*arguments) * np.float32(1.001))
    with pytest.raises(ProviderError, match="differs from the reference"):
        Check.of(tiny, noise)


def test_stops_a_stream_that_differs(tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Extractor.stream
    monkeypatch.setattr(Extractor, "stream", lambda extractor, **_: right(extractor, level=0.5))
    with pytest.raises(ProviderError, match="bits of extract"):
        Check.of(tiny, noise)


@pytest.mark.parametrize(
    "changes",
    [
        {"spectrum": "magnitude", "taper": "rectangular", "logarithm": None, "offset": 0.0, "divisor": 2.0},
        {"bands": {"scale": "bins", "count": 64, "low": 0, "high": 2000}, "trim": [100, 28], "blank": 3},
    ],
    ids=["magnitude", "bins"],
)
def test_reference_follows_the_configuration(
    make_model: Callable[..., Path], noise: np.ndarray, changes: dict[str, Any]
) -> None:
    bands = changes.get("bands", {}).get("count", 128)
    extractor = edgevoice.load(make_model(spectrogram=changes, features={"error": bands}))
    window = noise[80_000:88_000]
    expected = reference_spectrogram(extractor.config, window)
    np.testing.assert_allclose(extractor.spectrogram(window)[0], expected, rtol=1e-5, atol=1e-5)
