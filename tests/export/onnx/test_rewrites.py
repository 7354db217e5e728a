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

INTERLEAVED = ["Reshape", "Transpose", "Reshape", "Transpose", "Reshape"]
RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)
X = RNG.standard_normal((2, 3, 8, 10)).astype(np.float32)
SHAPE: list[Any] = ["n", 3, 8, 10]
CONV, NORM = ("Conv", "kernel"), ("BatchNormalization", "scale", "shift", "mean", "variance")
POOL = ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]})


def chain(weights: dict[str, np.ndarray], shape: list[Any], *steps: tuple[Any, ...]) -> onnx.ModelProto:
    """A graph from `x` to `y`: each step is an operator on the value before, with its other inputs and attributes."""
    nodes, value = [], "x"
    for number, (operator, *inputs) in enumerate(steps, 1):
        attributes = inputs.pop() if inputs and isinstance(inputs[-1], dict) else {}
        output = "y" if number == len(steps) else f"value{number}"
        nodes.append(helper.make_node(operator, [value, *inputs], [output], **attributes))
        value = output
    return graph(nodes, weights, shape)


def check(model: onnx.ModelProto, apply: Callable[[ir.Model], None], x: np.ndarray) -> list[str]:
    """Rewrite, compare, and return the operators that are left."""
    proto = rewritten(model, apply)
    np.testing.assert_allclose(run(proto, x), run(model, x), atol=1e-5, rtol=0)
    assert [output.name for output in proto.graph.output] == ["y"]
    return operators(proto)


def norm(negative: bool = False) -> dict[str, np.ndarray]:
    scale, variance = RNG.uniform(0.5, 1.5, 4).astype(np.float32), RNG.uniform(0.1, 2, 4).astype(np.float32)
    scale[0] *= -1 if negative else 1
    shift, mean = RNG.standard_normal((2, 4)).astype(np.float32)
    return {"scale": scale, "shift": shift, "mean": mean, "variance": variance, "kernel": KERNEL}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("negative", [False, True])
def test_batch_norm_goes_into_the_convolution(operator: str, bias: bool, negative: bool):
    weights = norm(negative) | {"bias": np.arange(4, dtype=np.float32)}
    if operator == "ConvTranspose":
        weights["kernel"] = KERNEL.transpose(1, 0, 2, 3).copy()
    convolution = (operator, "kernel", *(["bias"] if bias else []))
    assert check(chain(weights, SHAPE, convolution, NORM), fold_batch_norms, X) == [operator]


@pytest.mark.parametrize(("negative", "left"), [(False, []), (True, ["BatchNormalization"])])
def test_batch_norm_passes_a_pool_where_its_scales_are_positive(negative: bool, left: list[str]):
    assert check(chain(norm(negative), SHAPE, CONV, POOL, NORM), fold_batch_norms, X) == ["Conv", "MaxPool", *left]


def test_batch_norm_of_a_convolution_that_something_else_uses_stays():
    model = chain(norm(), SHAPE, CONV, NORM, ("Add", "value1"))
    assert check(model, fold_batch_norms, X) == ["Conv", "BatchNormalization", "Add"]


def doubling(
    shape: tuple[int, ...], pads: list[int], mode: str = "nearest"
) -> tuple[dict[str, np.ndarray], tuple[Any, ...]]:
    """The weights and steps of an upsampling by 2 and a transposed convolution."""
    attributes = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    weights = {"scales": np.array([1, 1, 2, 2]), "kernel": RNG.standard_normal(shape), "bias": RNG.standard_normal(shape[1])}
    steps = ("Resize", "", "scales", attributes), ("ConvTranspose", "kernel", "bias", {"pads": pads})
    return {name: array.astype(np.float32) for name, array in weights.items()}, steps


@fewer_examples(12)
@given(
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    bias=st.booleans(),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(2, 6), st.integers(2, 6)),
)
def test_convolution_comes_before_the_doubling(pads: list[int], bias: bool, channels: Any, size: Any):
    weights, (resize, (operator, *inputs)) = doubling((*channels, 3, 3), pads)
    if not bias:
        inputs.remove("bias")
    model = chain(weights, ["n", channels[0], None, None], resize, (operator, *inputs))
    left = check(model, convolve_before_upsampling, RNG.standard_normal((2, channels[0], *size)).astype(np.float32))
    assert left == ["Conv", "DepthToSpace", *(["Slice"] if any(pads) else [])]


@pytest.mark.parametrize(("size", "mode"), [(3, "linear"), (4, "nearest")])
def test_other_doublings_and_kernels_stay(size: int, mode: str):
    weights, steps = doubling((3, 2, size, size), [1] * 4, mode)
    assert check(chain(weights, SHAPE, *steps), convolve_before_upsampling, X) == ["Resize", "ConvTranspose"]


@pytest.mark.parametrize("operator", ["LeakyRelu", "Relu", "Sigmoid"])
def test_activation_moves_to_its_convolution(operator: str):
    moves = ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}), ("Slice", "first", "last", "axes")
    weights = {"kernel": KERNEL, "first": np.array([1]), "last": np.array([-1]), "axes": np.array([2])}
    model = chain(weights, SHAPE, CONV, *moves, (operator,))
    assert check(model, activate_before_moving, X) == ["Conv", operator, "DepthToSpace", "Slice"]


def test_activation_stays_behind_a_pool():
    model = chain({"kernel": KERNEL}, SHAPE, CONV, POOL, ("LeakyRelu", {"alpha": 0.5}))
    assert check(model, activate_before_moving, X)[-1] == "LeakyRelu"


def test_all_together():
    weights, steps = doubling((3, 4, 3, 3), [1] * 4)
    model = chain(norm() | weights, SHAPE, *steps, NORM, ("LeakyRelu", {"alpha": 0.01}))
    assert check(model, rewrite, X) == ["Conv", "LeakyRelu", *INTERLEAVED, "Slice"]


def interleaved(shape: list[Any], **attributes: Any) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    before = chain({}, shape, ("Relu",), ("DepthToSpace", attributes), ("Neg",))
    return before, rewritten(before, interleave_by_transposing)


@pytest.mark.parametrize(("channels", "rows", "columns"), [(1, 1, 1), (1, 65, 65), (3, 4, 5), (64, 9, 8)])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_transpositions_interleave_to_the_same_bits(channels: int, rows: int, columns: int, count: int) -> None:
    before, after = interleaved(["n", 4 * channels, rows, columns], blocksize=2, mode="CRD")
    assert operators(after) == ["Relu", *INTERLEAVED, "Neg"]
    x = np.random.default_rng(0).standard_normal((count, 4 * channels, rows, columns)).astype(np.float32)
    outputs = [run(model, x) for model in (before, after)]
    assert outputs[0].shape == outputs[1].shape == (count, channels, 2 * rows, 2 * columns)
    assert outputs[0].tobytes() == outputs[1].tobytes()


@pytest.mark.parametrize(
    ("shape", "blocksize", "mode"), [(["n", 8, 4, 5], 2, "DCR"), (["n", 9, 4, 5], 3, "CRD"), (["n", 8, "rows", 5], 2, "CRD")]
)
def test_other_interleavings_stay(shape: list[Any], blocksize: int, mode: str) -> None:
    before, after = interleaved(shape, blocksize=blocksize, mode=mode)
    assert operators(before) == operators(after)


STEPS, UNITS, HIDDEN = 126, 40, 16


def layer(directions: int = 1, shape: Any = (1, STEPS, 1), axis: int = 1, perm: Any = (1, 0, 2), **more: Any) -> Any:
    """From `x` (n, 40), the same for all steps, to the outputs `y` of an LSTM."""
    rng, gates = np.random.default_rng(0), 4 * HIDDEN
    sizes = {"w": (directions, gates, UNITS), "r": (directions, gates, HIDDEN), "b": (directions, 2 * gates)}
    weights = {name: (0.3 * rng.standard_normal(size)).astype(np.float32) for name, size in sizes.items()}
    weights |= {"axis": np.array([axis]), "shape": np.array(shape)}
    lstm = {"hidden_size": HIDDEN, "direction": "bidirectional" if directions == 2 else "reverse", **more}
    repeated = ("Unsqueeze", "axis"), ("Expand", "shape"), ("Transpose", {"perm": perm})
    return chain(weights, ["n", UNITS], *repeated, ("LSTM", "w", "r", "b", lstm))


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


OTHER = [{"directions": 2}, {"shape": (1, STEPS, UNITS)}, {"shape": (3, STEPS, 1)}, {"axis": 0}, {"perm": (2, 1, 0)}]


@pytest.mark.parametrize("changes", [*OTHER, {"layout": 1}], ids=str)
def test_other_layers_stay_as_they_are(changes: dict[str, Any]) -> None:
    model = layer(**changes)
    assert operators(rewritten(model, project_repeated_once)) == operators(model)
