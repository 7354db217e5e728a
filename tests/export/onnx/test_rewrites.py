"""Each rewrite gives the same function, within 1e-5 or to the last bit, and leaves alone what it must."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from edgevoice_export.onnx.rewrites import rewrite
from edgevoice_export.onnx.rewrites.activation import activate_before_moving
from edgevoice_export.onnx.rewrites.batchnorm import fold_batch_norms
from edgevoice_export.onnx.rewrites.interleaving import interleave_by_transposing
from edgevoice_export.onnx.rewrites.repetition import project_repeated_once
from edgevoice_export.onnx.rewrites.upsampling import convolve_before_upsampling
from fewerexamples import fewer_examples
from onnxgraphs import graph, operators, rewritten, run

Rewrite = Callable[[ir.Model], None]


def check(model: onnx.ModelProto, apply: Rewrite, x: np.ndarray) -> list[str]:
    """Rewrite, compare, and return the operators that are left."""
    proto = rewritten(model, apply)
    np.testing.assert_allclose(run(proto, x), run(model, x), atol=1e-5, rtol=0)
    assert [output.name for output in proto.graph.output] == ["y"]
    return operators(proto)


def norm(rng: np.random.Generator, channels: int, negative: bool = False) -> dict[str, np.ndarray]:
    scale = rng.uniform(0.5, 1.5, channels).astype(np.float32)
    scale[0] *= -1 if negative else 1
    return {
        "scale": scale,
        "shift": rng.standard_normal(channels).astype(np.float32),
        "mean": rng.standard_normal(channels).astype(np.float32),
        "variance": rng.uniform(0.1, 2, channels).astype(np.float32),
    }


def batch_norm(source: str) -> onnx.NodeProto:
    return helper.make_node("BatchNormalization", [source, "scale", "shift", "mean", "variance"], ["y"])


INTERLEAVED = ["Reshape", "Transpose", "Reshape", "Transpose", "Reshape"]
RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)
X = RNG.standard_normal((2, 3, 8, 10)).astype(np.float32)
SHAPE: list[object] = ["n", 3, 8, 10]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("negative", [False, True])
def test_batch_norm_goes_into_the_convolution(operator: str, bias: bool, negative: bool):
    weights = norm(RNG, 4, negative) | {"kernel": KERNEL if operator == "Conv" else KERNEL.transpose(1, 0, 2, 3).copy()}
    inputs = ["x", "kernel"]
    if bias:
        weights["bias"] = np.arange(4, dtype=np.float32)
        inputs.append("bias")
    model = graph([helper.make_node(operator, inputs, ["a"]), batch_norm("a")], weights, SHAPE)
    assert check(model, fold_batch_norms, X) == [operator]


@pytest.mark.parametrize(
    ("negative", "left"), [(False, ["Conv", "MaxPool"]), (True, ["Conv", "MaxPool", "BatchNormalization"])]
)
def test_batch_norm_passes_a_pool_where_its_scales_are_positive(negative: bool, left: list[str]):
    pool = helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2])
    nodes = [helper.make_node("Conv", ["x", "kernel"], ["a"]), pool, batch_norm("b")]
    assert check(graph(nodes, norm(RNG, 4, negative) | {"kernel": KERNEL}, SHAPE), fold_batch_norms, X) == left


def test_batch_norm_of_a_convolution_that_something_else_uses_stays():
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    left = check(graph(nodes, norm(RNG, 4) | {"kernel": KERNEL}, SHAPE), fold_batch_norms, X)
    assert left == ["Conv", "BatchNormalization", "Add"]


def doubled(pads: list[int], bias: bool, shape: tuple[int, ...], mode: str = "nearest") -> onnx.ModelProto:
    resize = helper.make_node(
        "Resize",
        ["x", "", "scales"],
        ["a"],
        mode=mode,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    inputs = ["a", "kernel", "bias"] if bias else ["a", "kernel"]
    weights = {"scales": np.array([1, 1, 2, 2], np.float32), "kernel": RNG.standard_normal(shape).astype(np.float32)}
    if bias:
        weights["bias"] = RNG.standard_normal(shape[1]).astype(np.float32)
    return graph([resize, helper.make_node("ConvTranspose", inputs, ["y"], pads=pads)], weights, ["n", shape[0], None, None])


@fewer_examples(12)
@given(
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    bias=st.booleans(),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(2, 6), st.integers(2, 6)),
)
def test_convolution_comes_before_the_doubling(
    pads: list[int], bias: bool, channels: tuple[int, int], size: tuple[int, int]
):
    x = RNG.standard_normal((2, channels[0], *size)).astype(np.float32)
    left = check(doubled(pads, bias, (*channels, 3, 3)), convolve_before_upsampling, x)
    assert left == ["Conv", "DepthToSpace", *(["Slice"] if any(pads) else [])]


def test_other_doublings_and_kernels_stay():
    x = RNG.standard_normal((1, 2, 4, 4)).astype(np.float32)
    assert check(doubled([1] * 4, False, (2, 2, 3, 3), "linear"), convolve_before_upsampling, x)[0] == "Resize"
    assert check(doubled([1] * 4, False, (2, 2, 4, 4)), convolve_before_upsampling, x)[0] == "Resize"


@pytest.mark.parametrize("operator", ["LeakyRelu", "Relu", "Sigmoid"])
def test_activation_moves_to_its_convolution(operator: str):
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("DepthToSpace", ["a"], ["b"], blocksize=2, mode="CRD"),
        helper.make_node("Slice", ["b", "first", "last", "axes"], ["c"]),
        helper.make_node(operator, ["c"], ["y"]),
    ]
    weights = {"kernel": KERNEL, "first": np.array([1]), "last": np.array([-1]), "axes": np.array([2])}
    assert check(graph(nodes, weights, SHAPE), activate_before_moving, X) == ["Conv", operator, "DepthToSpace", "Slice"]


def test_activation_stays_behind_a_pool():
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2]),
        helper.make_node("LeakyRelu", ["b"], ["y"], alpha=0.5),
    ]
    assert check(graph(nodes, {"kernel": KERNEL}, SHAPE), activate_before_moving, X)[-1] == "LeakyRelu"


def test_all_together():
    resize, transposed = doubled([1] * 4, False, (3, 4, 3, 3)).graph.node
    transposed.output[0] = "b"
    nodes = [resize, transposed, batch_norm("b")]
    nodes[2].output[0] = "c"
    nodes.append(helper.make_node("LeakyRelu", ["c"], ["y"], alpha=0.01))
    weights = norm(RNG, 4) | {"scales": np.array([1, 1, 2, 2], np.float32)}
    weights["kernel"] = KERNEL.transpose(1, 0, 2, 3).copy()
    assert check(graph(nodes, weights, SHAPE), rewrite, X) == ["Conv", "LeakyRelu", *INTERLEAVED, "Slice"]


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
def test_transpositions_interleave_to_the_same_bits(channels: int, rows: int, columns: int, count: int) -> None:
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
def test_other_interleavings_stay(shape: list[Any], attributes: dict[str, Any]) -> None:
    before, after = interleaved(shape, **attributes)
    assert operators(before) == operators(after)


STEPS, UNITS, HIDDEN = 126, 40, 16


def layer(
    directions: int = 1,
    shape: tuple[int, ...] = (1, STEPS, 1),
    axis: int = 1,
    perm: tuple[int, ...] = (1, 0, 2),
    **more: Any,
) -> onnx.ModelProto:
    """From `x` (n, 40), the same for all steps, to the outputs `y` of an LSTM."""
    rng = np.random.default_rng(0)
    arrays = {
        "w": rng.standard_normal((directions, 4 * HIDDEN, UNITS)),
        "r": rng.standard_normal((directions, 4 * HIDDEN, HIDDEN)),
        "b": rng.standard_normal((directions, 8 * HIDDEN)),
    }
    weights = {name: (0.3 * array).astype(np.float32) for name, array in arrays.items()}
    weights |= {"axis": np.array([axis]), "shape": np.array(shape)}
    way = "bidirectional" if directions == 2 else "reverse"
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["raised"]),
        helper.make_node("Expand", ["raised", "shape"], ["expanded"]),
        helper.make_node("Transpose", ["expanded"], ["turned"], perm=perm),
        helper.make_node("LSTM", ["turned", "w", "r", "b"], ["y"], hidden_size=HIDDEN, direction=way, **more),
    ]
    return graph(nodes, weights, ["n", UNITS])


def test_a_repeated_input_is_projected_once_with_the_same_values() -> None:
    model = layer()
    once = rewritten(model, project_repeated_once)
    lstm = next(node for node in once.graph.node if node.op_type == "LSTM")
    assert lstm.input[0] == "w_expand"
    assert "w" not in [initialiser.name for initialiser in once.graph.initializer]
    x = np.random.default_rng(1).standard_normal((9, UNITS)).astype(np.float32)
    whole = run(once, x)
    np.testing.assert_allclose(whole, run(model, x), rtol=0, atol=1e-6)
    assert whole.shape == (STEPS, 1, 9, HIDDEN)
    for size in (1, 2, 7):
        parts = [run(once, x[at : at + size]) for at in range(0, 9, size)]
        assert np.concatenate(parts, axis=2).tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"directions": 2},
        {"shape": (1, STEPS, UNITS)},
        {"shape": (3, STEPS, 1)},
        {"axis": 0},
        {"perm": (2, 1, 0)},
        {"layout": 1},
    ],
    ids=str,
)
def test_other_layers_stay_as_they_are(changes: dict[str, Any]) -> None:
    model = layer(**changes)
    assert operators(rewritten(model, project_repeated_once)) == operators(model)
