"""Features, frames, functionals."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import edgevoice
from edgevoice import Extractor, Features
from edgevoice.features import functionals as compute_functionals


@pytest.fixture(scope="module")
def features(tiny: Extractor, noise: np.ndarray) -> Features:
    return tiny.extract((noise, 16000))


def test_a_matrix_with_names_and_times(features: Features) -> None:
    assert features.values.dtype == np.float32
    assert features.values.shape == (39, 136)
    assert features.names[:2] + features.names[7:9] == ["bottleneck_0", "bottleneck_1", "bottleneck_7", "error_0"]
    assert features.bottleneck.base is not None
    assert np.shares_memory(features.error, features.values)
    assert features.position.dtype == np.int64
    assert features.start.dtype == features.end.dtype == np.float64
    assert features.end.tolist() == [0.5 + 0.25 * k for k in range(39)]
    assert (features.position == 16000 * features.start).all()
    assert features.extent == (0.0, 10.0)
    assert repr(features) == "<Features: 39 frames of 136 descriptors>"


def test_frames(features: Features) -> None:
    frames = list(features)
    assert len(frames) == len(features) == 39
    for k, frame in enumerate(frames):
        assert frame.values.tobytes() == features.values[k].tobytes()
        assert np.concatenate([frame.bottleneck, frame.error]).tobytes() == frame.values.tobytes()
        assert (frame.index, frame.position, frame.start, frame.end) == (k, 4000 * k, 0.25 * k, 0.25 * k + 0.5)
        assert (frame.loudness, frame.offset, frame.gain) == (features.loudness[k], features.offset[k], features.gain[k])
    assert repr(frames[1]) == "<Frame 1: 136 descriptors to 0.75 s>"
    with pytest.raises(AttributeError):
        frames[0].position = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        frames[0].bottleneck[0] = 1
    assert features.values.flags.writeable


def test_slices_and_numbers(features: Features) -> None:
    assert len(features[3:7]) == 4
    assert features[3:7][0].index == features[3].index == 3
    assert features[-1].index == 38
    with pytest.raises(IndexError):
        features[39]


def test_masks_lists_and_numbers_of_any_type(features: Features) -> None:
    mask = features.start >= 5
    chosen = features[mask]
    assert isinstance(chosen, Features)
    assert chosen.position.tolist() == features.position[mask].tolist()
    assert chosen.values.tobytes() == features.values[mask].tobytes()
    assert features[[3, 1]].index.tolist() == features[np.array([3, 1])].index.tolist() == [3, 1]
    assert features[np.int64(3)].index == 3
    assert len(features[[]]) == len(features[np.zeros(39, bool)]) == 0
    for wrong in (True, np.True_, np.array(True), np.array(1.0), 1.5, [True], [1.5], np.ones((39, 1), bool), "values"):
        with pytest.raises(edgevoice.ArgumentError, match="mask of 39"):
            features[wrong]  # type: ignore[call-overload]


def test_an_array_of_features_is_their_matrix(features: Features) -> None:
    assert np.asarray(features) is not None
    assert np.shares_memory(np.asarray(features), features.values)
    assert np.asarray(features, np.float64).tolist() == features.values.tolist()
    assert not np.shares_memory(np.array(features), features.values)


def same(one: Any, other: Any) -> bool:
    """Whether two values of the same class say the same."""
    pairs = [(getattr(one, item.name), getattr(other, item.name)) for item in dataclasses.fields(one)]
    return type(one) is type(other) and all(
        np.array_equal(*pair) if isinstance(pair[0], np.ndarray) else pair[0] == pair[1] for pair in pairs
    )


@pytest.mark.parametrize("again", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy, copy.copy])
def test_values_survive_pickle_and_copies(features: Features, again: Callable[[Any], Any]) -> None:
    assert same(again(features), features)
    frame = again(features[3])
    assert same(frame, features[3])
    assert not frame.values.flags.writeable
    fields = dataclasses.asdict(features)
    assert fields["values"].tobytes() == features.values.tobytes()
    assert dataclasses.asdict(features[3])["facts"]["position"] == 12_000


def test_loudness_is_the_root_mean_square_in_decibels(tiny: Extractor) -> None:
    tone = np.sin(2 * np.pi * 100 * np.arange(16_000) / 16_000).astype(np.float32)
    assert tiny.extract((tone, 16000)).loudness == pytest.approx(-3.01, abs=0.01)
    assert tiny.extract((tone / 10, 16000), level=5.0).loudness == pytest.approx(-23.01, abs=0.01)
    assert (tiny.extract((np.zeros(16_000, np.float32), 16000)).loudness == -200).all()


def test_a_frame_as_a_dictionary(features: Features) -> None:
    record = features[2].to_dict()
    place = ["index", "position", "start", "end", "silent", "gap", "loudness", "time", "latency"]
    assert list(record) == [*place, "bottleneck", "error"]
    assert (record["position"], record["start"], record["end"], record["time"]) == (8000, 0.5, 1.0, None)
    assert json.loads(json.dumps(record)) == record


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


@pytest.mark.parametrize(
    "wrong", [[[1, 2], [3]], np.ones(3), "ab", None, [["a"]], np.ones((2, 2), complex), np.ma.masked_less(np.eye(2), 1)]
)
def test_what_is_no_matrix_is_an_argument_error(wrong: Any) -> None:
    with pytest.raises(edgevoice.ArgumentError):
        compute_functionals(wrong)


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 20), st.integers(1, 4)),
        elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=True),
    )
)
def test_functionals_are_always_finite(values: np.ndarray) -> None:
    assert np.isfinite(compute_functionals(values)).all()


def test_a_notebook_shows_the_first_frames(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    shown = features._repr_html_() or ""
    assert "39 frames of 136 descriptors" in shown
    assert shown.count("<th>0 days") == 2 * 4
    assert "0 frames" in (features[:0]._repr_html_() or "")
    named = dataclasses.replace(features, source="<b>.wav")
    assert "&lt;b&gt;.wav" in (named._repr_html_() or "")
    monkeypatch.setitem(sys.modules, "pandas", None)  # type: ignore[arg-type]
    assert features._repr_html_() is None
