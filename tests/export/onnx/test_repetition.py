"""An LSTM with the same input at every step: the projection is computed once, with the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgevoice_export.onnx.rewrites.repetition import project_repeated_once
from onnxgraphs import graph, operators, rewritten, run

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


def test_the_values_stay_and_do_not_depend_on_the_batch() -> None:
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
