"""A batch norm in evaluation mode is a factor and a shift a channel: the convolution before it takes them in.

A factor above zero also passes a max-pool between the two: max(f x + s) = f max(x) + s.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgevoice_export.onnx.rewrites.graph import (
    add_initialiser,
    attribute,
    bypass,
    constant,
    fold_constants,
    only_producer,
    operand,
)


def fold_batch_norms(model: ir.Model) -> None:
    """Fold every batch norm that follows a convolution, or a convolution and a max-pool, into the convolution."""
    for node in list(model.graph):
        if node.op_type == "BatchNormalization":
            _fold(model, node)
    fold_constants(model)


def _fold(model: ir.Model, node: ir.Node) -> None:
    statistics = [constant(operand(node, k)) for k in range(1, 5)]
    if any(array is None for array in statistics):
        return
    scale, bias, mean, variance = (np.asarray(array, np.float64) for array in statistics)
    factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    shift = bias - mean * factor

    source = operand(node, 0)
    pool = only_producer(source, "MaxPool")
    if pool is not None and not (factor > 0).all():
        return
    convolution = only_producer(operand(pool, 0) if pool else source, "Conv", "ConvTranspose")
    if convolution is None or attribute(convolution, "group", 1) != 1:
        return
    weight, old = constant(operand(convolution, 1)), constant(operand(convolution, 2))
    if weight is None or (operand(convolution, 2) is not None and old is None):
        return
    channel = 0 if convolution.op_type == "Conv" else 1  # of the outputs, in the kernel
    shape = [1] * weight.ndim
    shape[channel] = -1
    scaled = (weight * factor.reshape(shape)).astype(weight.dtype)
    shifted = (shift + (0 if old is None else old * factor)).astype(weight.dtype)
    name = operand(convolution, 1).name
    convolution.resize_inputs(3)
    convolution.replace_input_with(1, add_initialiser(model, f"{name}.folded", scaled))
    convolution.replace_input_with(2, add_initialiser(model, f"{name}.shift", shifted))
    bypass(node, source)
