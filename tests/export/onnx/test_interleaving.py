"""Transpositions interleave as DepthToSpace does, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgevoice_export.onnx.rewrites.interleaving import interleave_by_transposing
from onnxgraphs import graph, operators, rewritten, run


def interleaved(shape: list[Any], **attributes: Any) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    nodes = [
        helper.make_node("Relu", ["x"], ["positive"]),
        helper.make_node("DepthToSpace", ["positive"], ["wide"], **attributes),
        helper.make_node("Neg", ["wide"], ["y"]),
    ]
    before = graph(nodes, {}, shape)
    return before, rewritten(before, interleave_by_transposing)


@pytest.mark.parametrize(("channels", "rows", "columns"), [(1, 1, 1), (1, 65, 65), (3, 4, 5), (64, 9, 8)])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_same_bits(channels: int, rows: int, columns: int, count: int) -> None:
    before, after = interleaved(["n", 4 * channels, rows, columns], blocksize=2, mode="CRD")
    assert operators(after) == ["Relu", "Reshape", "Transpose", "Reshape", "Transpose", "Reshape", "Neg"]
    x = np.random.default_rng(0).standard_normal((count, 4 * channels, rows, columns)).astype(np.float32)
    outputs = [run(model, x) for model in (before, after)]
    assert outputs[0].shape == outputs[1].shape == (count, channels, 2 * rows, 2 * columns)
    assert outputs[0].tobytes() == outputs[1].tobytes()


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        (["n", 8, 4, 5], {"blocksize": 2, "mode": "DCR"}),
        (["n", 9, 4, 5], {"blocksize": 3, "mode": "CRD"}),
        (["n", 8, "rows", 5], {"blocksize": 2, "mode": "CRD"}),
    ],
)
def test_leaves_others_alone(shape: list[Any], attributes: dict[str, Any]) -> None:
    before, after = interleaved(shape, **attributes)
    assert operators(before) == operators(after)
