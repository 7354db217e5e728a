"""Nearest-neighbour upsampling by 2 and a 3x3 transposed convolution become a 2x2 convolution of the small image.

The doubled image holds every value four times, so a 3x3 kernel on it meets at most 2x2 different values, and which kernel
entries meet the same value depends only on whether row and column are odd. Along one axis, with the flipped kernel k and
the output not cropped: out[2j] = (k0 + k1) x[j-1] + k2 x[j], out[2j+1] = k0 x[j-1] + (k1 + k2) x[j]. The four cases are
four channels at low resolution, interleaved afterwards: 16 products instead of 36 for each four values.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgevoice_export.onnx.rewrites.graph import (
    add_initialiser,
    attribute,
    bypass,
    constant,
    fold_constants,
    only_producer,
    operand,
    put_before,
)

# (odd, tap, kernel entry)
_TAPS = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]], np.float64)


def convolve_before_upsampling(model: ir.Model) -> None:
    """Replace every upsampling by 2 that is followed by a 3x3 transposed convolution of stride 1."""
    for node in list(model.graph):
        if node.op_type == "ConvTranspose":
            _replace(model, node)
    fold_constants(model)


def low_resolution_kernel(kernel: NDArray[np.floating]) -> NDArray[np.float64]:
    """Kernel (4 outputs, inputs, 2, 2) of the convolution for one (inputs, outputs, 3, 3) of the transposed one.

    Channel 4 o + 2 r + c holds output o at rows of parity r and columns of parity c.
    """
    flipped = kernel[:, :, ::-1, ::-1].astype(np.float64)
    cases: NDArray[np.float64] = np.einsum("rad,cbe,iode->orciab", _TAPS, _TAPS, flipped)
    return cases.reshape(-1, kernel.shape[0], 2, 2)


def full_kernel(low: NDArray[np.floating]) -> NDArray[np.float32]:
    """The kernel (inputs, outputs, 3, 3) from which `low_resolution_kernel` made (4 outputs, inputs, 2, 2)."""
    cases = low.reshape(-1, 2, 2, low.shape[1], 2, 2)
    inverse = np.linalg.pinv(_TAPS.reshape(4, 3)).reshape(3, 2, 2)
    flipped = np.einsum("dra,ecb,orciab->iode", inverse, inverse, cases.astype(np.float64))
    return np.ascontiguousarray(flipped[:, :, ::-1, ::-1], np.float32)


def _replace(model: ir.Model, node: ir.Node) -> None:
    resize = only_producer(operand(node, 0), "Resize")
    kernel, bias = constant(operand(node, 1)), constant(operand(node, 2))
    if resize is None or not _doubles(resize) or kernel is None or kernel.shape[2:] != (3, 3):
        return
    if operand(node, 2) is not None and bias is None:
        return
    plain = {"group": 1, "strides": (1, 1), "dilations": (1, 1), "output_padding": (0, 0), "auto_pad": "NOTSET"}
    if any(attribute(node, name, value) != value for name, value in plain.items()):
        return
    pads = attribute(node, "pads", (0, 0, 0, 0))
    name = operand(node, 1).name
    inputs = [operand(resize, 0), add_initialiser(model, f"{name}.low", low_resolution_kernel(kernel).astype(kernel.dtype))]
    if bias is not None:
        inputs.append(add_initialiser(model, f"{name}.low.bias", np.repeat(bias, 4)))
    convolution = ir.node("Conv", inputs, attributes={"pads": (1, 1, 1, 1), "kernel_shape": (2, 2)})
    interleave = ir.node("DepthToSpace", [convolution.outputs[0]], attributes={"blocksize": 2, "mode": "CRD"})
    nodes = [convolution, interleave]
    if any(pads):
        first = np.array(pads[:2], np.int64)
        last = -np.array(pads[2:], np.int64)
        last[last == 0] = np.iinfo(np.int64).max
        bounds = [("first", first), ("last", last), ("axes", np.array([2, 3], np.int64))]
        crop = [add_initialiser(model, f"{name}.crop.{key}", array) for key, array in bounds]
        nodes.append(ir.node("Slice", [interleave.outputs[0], *crop]))
    put_before(node, {f"{node.outputs[0].name}_low_{number}": new for number, new in enumerate(nodes)})
    nodes[-1].outputs[0].shape = node.outputs[0].shape
    bypass(node, nodes[-1].outputs[0])


def _doubles(resize: ir.Node) -> bool:
    scales = constant(operand(resize, 2))
    how = [attribute(resize, name, None) for name in ("mode", "coordinate_transformation_mode", "nearest_mode")]
    return scales is not None and scales.tolist() == [1, 1, 2, 2] and how == ["nearest", "asymmetric", "floor"]
