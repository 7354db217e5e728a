"""An LSTM that is given the same vector at every step projects it once.

A layer's gates at step t are W x_t + R h_t + b. With one x for all steps, W x is computed before the layer and takes the
place of W: one column for each window. The layer's input is then an identity: x_t of window k picks column k. Only the
products with 1 are not 0, so the gates have the same values.

The identity has n^2 numbers per step: from as many windows at once as x is long, nothing is saved any more. In the decoder
of the RAE the projection of 256 numbers at each of 126 steps is a quarter of all time.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgevoice_export.onnx.rewrites.graph import add_initialiser, attribute, constant, fold_constants, only_producer, operand

_BY_STEP = (1, 0, 2)
_SEQUENCE_LENGTHS = 4


def project_repeated_once(model: ir.Model) -> None:
    """Take the projection out of every LSTM of one direction whose input (n, units) is repeated for all steps."""
    for node in list(model.graph):
        if node.op_type == "LSTM":
            _project_once(model, node)
    fold_constants(model)


def _project_once(model: ir.Model, node: ir.Node) -> None:
    weight = constant(operand(node, 1))
    found = _repeated(operand(node, 0))
    plain = operand(node, _SEQUENCE_LENGTHS) is None and attribute(node, "layout", 0) == 0
    if weight is None or found is None or len(weight) != 1 or not plain:
        return
    source, steps = found
    name = operand(node, 1).name
    projected = ir.node("Gemm", [source, add_initialiser(model, f"{name}.once", weight[0])], {"transB": 1})
    columns = ir.node("Transpose", [projected.outputs[0]], {"perm": [1, 0]})
    gates = ir.node("Unsqueeze", [columns.outputs[0], add_initialiser(model, f"{name}.axis", np.zeros(1, np.int64))])
    count = ir.node("Shape", [source], {"start": 0, "end": 1})
    square = ir.node("Concat", [count.outputs[0], count.outputs[0]], {"axis": 0})
    zeros = ir.node("ConstantOfShape", [square.outputs[0]])
    identity = ir.node("EyeLike", [zeros.outputs[0]])
    shape = add_initialiser(model, f"{name}.steps", np.array([steps, 1, 1], np.int64))
    picked = ir.node("Expand", [identity.outputs[0], shape])
    for made in (projected, columns, gates, count, square, zeros, identity, picked):
        made.outputs[0].name = f"{name}_{made.op_type.lower()}"
        model.graph.insert_before(node, made)
    node.replace_input_with(0, picked.outputs[0])
    node.replace_input_with(1, gates.outputs[0])


def _repeated(value: ir.Value | None) -> tuple[ir.Value, int] | None:
    """The vectors (n, units) that (steps, n, units) repeats, and how often; None for any other input."""
    turned = only_producer(value, "Transpose")
    expanded = (
        only_producer(operand(turned, 0), "Expand") if turned and attribute(turned, "perm", None) == _BY_STEP else None
    )
    raised = only_producer(operand(expanded, 0), "Unsqueeze") if expanded else None
    if expanded is None or raised is None:
        return None
    shape, axes = constant(operand(expanded, 1)), constant(operand(raised, 1))
    if shape is None or axes is None or axes.tolist() != [1] or len(shape) != 3 or shape[0] != 1 or shape[2] != 1:
        return None
    return operand(raised, 0), int(shape[1])
