"""DepthToSpace as two transpositions, which ONNX Runtime computes in half the time.

Its DepthToSpace moves single values. If columns are interleaved first and rows second, each transposition moves one axis
only, which is faster: the second one copies whole rows.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from edgevoice_export.onnx.rewrites.graph import add_initialiser, attribute, bypass, operand, put_before


def interleave_by_transposing(model: ir.Model) -> None:
    """Replace every DepthToSpace of mode CRD and blocks of 2 whose image has a known size."""
    nodes = [node for node in model.graph if node.op_type == "DepthToSpace"]
    if nodes:
        ShapeInferencePass()(model)
    for node in nodes:
        if attribute(node, "mode", "DCR") == "CRD" and attribute(node, "blocksize", 0) == 2:
            _replace(model, node)


def _replace(model: ir.Model, node: ir.Node) -> None:
    value = operand(node, 0)
    sizes = [size for size in value.shape[1:] if isinstance(size, int)] if value.shape else []
    if len(sizes) != 3:
        return
    channels, rows, columns = sizes[0] // 4, *sizes[1:]
    name = node.outputs[0].name
    steps = (
        # (n, channels x row parity, column parity, rows x columns) -> (..., rows x columns, column parity)
        ([-1, 2 * channels, 2, rows * columns], [0, 1, 3, 2]),
        # (n, channels, row parity, rows, 2 columns) -> (n, channels, rows, row parity, 2 columns)
        ([-1, channels, 2, rows, 2 * columns], [0, 1, 3, 2, 4]),
        ([-1, channels, 2 * rows, 2 * columns], None),
    )
    for number, (target, order) in enumerate(steps):
        sized = add_initialiser(model, f"{name}.sizes.{number}", np.array(target, np.int64))
        made = {f"{name}_reshape_{number}": ir.node("Reshape", [value, sized])}
        value = made[f"{name}_reshape_{number}"].outputs[0]
        if order is not None:
            made[f"{name}_transpose_{number}"] = ir.node("Transpose", [value], attributes={"perm": order})
            value = made[f"{name}_transpose_{number}"].outputs[0]
        put_before(node, made)
    value.shape = node.outputs[0].shape
    bypass(node, value)
