"""Features, frames, functionals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import edgevoice
from edgevoice import Extractor, Features
from edgevoice.functionals import compute_functionals


@pytest.fixture(scope="module")
def features(tiny: Extractor, noise: np.ndarray) -> Features:
    return tiny.extract((noise, 16000))


def test_a_matrix_with_names_and_times(features: Features) -> None:
    assert features.values.dtype == np.float32
    assert features.values.shape == (39, 136)
    assert features.names[:2] + features.names[7:9] == ["bottleneck_0", "bottleneck_1", "bottleneck_7", "error_0"]
    assert features.bottleneck.base is not None
    assert np.shares_memory(features.error, features.values)
    assert features.start.dtype == features.end.dtype == np.int64
    assert features.seconds.tolist() == [0.5 + 0.25 * k for k in range(39)]
    assert repr(features) == "<Features: 39 frames of 136 descriptors>"


def test_frames(features: Features) -> None:
    frames = list(features)
    assert len(frames) == len(features) == 39
    for k, frame in enumerate(frames):
        assert frame.values.tobytes() == features.values[k].tobytes()
        assert np.concatenate([frame.bottleneck, frame.error]).tobytes() == frame.values.tobytes()
        assert (frame.index, frame.start, frame.end) == (k, 4000 * k, 4000 * k + 8000)
        assert (frame.time, frame.latency) == (None, None)
    assert repr(frames[1]) == "<Frame 1: 136 descriptors to 0.75 s>"
    with pytest.raises(AttributeError):
        frames[0].start = 1  # type: ignore[misc]


def test_slices_and_numbers(features: Features) -> None:
    assert len(features[3:7]) == 4
    assert features[3:7][0].index == features[3].index == 3
    assert features[-1].index == 38
    with pytest.raises(IndexError):
        features[39]


def test_names_of_functionals_are_in_disvoices_order(features: Features) -> None:
    names = features.functional_names
    assert len(names) == len(features.functionals()) == 4 * 136
    assert names[0] == "mean_bottleneck_0"
    assert names[4 * 8 - 1] == "kurtosis_bottleneck_7"
    assert names[4 * 8] == "mean_error_0"
    assert names[-1] == "kurtosis_error_127"


def test_functionals_are_scipys(features: Features) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    values = features.bottleneck.astype(np.float64)
    expected = [values.mean(0), values.std(0), stats.skew(values), stats.kurtosis(values)]
    np.testing.assert_allclose(features.functionals()[:32], np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_constant_columns_have_no_shape() -> None:
    one_row = compute_functionals(np.array([[3.0, -2.0]], np.float32))
    assert one_row.tolist() == [3, -2, 0, 0, 0, 0, 0, 0]
    many = compute_functionals(np.full((1000, 1), 0.1, np.float32))
    np.testing.assert_allclose(many, [0.1, 0, 0, 0], atol=1e-7)
    with pytest.raises(edgevoice.ArgumentError, match="no frames"):
        compute_functionals(np.empty((0, 3), np.float32))


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 20), st.integers(1, 4)),
        elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=True),
    )
)
def test_functionals_are_always_finite(values: np.ndarray) -> None:
    assert np.isfinite(compute_functionals(values)).all()
