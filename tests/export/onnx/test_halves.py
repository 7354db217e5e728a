"""Matrices kept as float16: the same graph in half the bytes, and only where nothing is lost."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from edgevoice_export.onnx.halves import HALF, constants, store_halves, widen_halves
from onnxgraphs import graph, run

ROWS, COLUMNS = 64, 128


def product(weights: np.ndarray) -> onnx.ModelProto:
    """A graph that multiplies x (n, 128) by the transpose of weights (64, 128)."""
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    return graph([node], {"w": weights.astype(np.float32)}, ["n", COLUMNS])


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float16)


def test_half_the_bytes_and_the_same_bits(weights: np.ndarray):
    model = product(weights)
    x = np.random.default_rng(1).normal(size=(3, COLUMNS)).astype(np.float32)
    whole, size = run(model, x), model.ByteSize()
    assert store_halves(model) == ["w"]
    onnx.checker.check_model(model, full_check=True)
    assert model.ByteSize() < 0.6 * size
    assert [c.name for c in model.graph.initializer] == ["w" + HALF]
    assert run(model, x).tobytes() == whole.tobytes()
    np.testing.assert_array_equal(constants(model)["w"], weights.astype(np.float32))
    assert constants(model)["w"].dtype == np.float32
    assert store_halves(model) == []


@pytest.mark.parametrize("spoil", [np.float32(1 / 3), np.float32(1e6), np.float32(1e-9), np.float32(2**-24 * 1.5)], ids=str)
def test_one_number_that_float16_does_not_hold_keeps_the_matrix(weights: np.ndarray, spoil: np.float32):
    whole = weights.astype(np.float32)
    whole[5, 7] = spoil
    model = product(whole)
    before = model.SerializeToString()
    assert store_halves(model) == []
    assert model.SerializeToString() == before


def test_what_was_stored_is_widened_to_the_same_constants(weights: np.ndarray):
    model = product(weights)
    store_halves(model)
    widen_halves(model)
    assert model.SerializeToString() == product(weights).SerializeToString()
