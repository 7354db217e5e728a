"""Large matrices in fewer bytes: as float16, and as codes of 8 bits.

A matrix is stored as float16 only if that holds all its numbers exactly; `publish.export` rounds them before. ONNX Runtime
casts it to float32 once, at load, so that time, memory and results are those of the same weights in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HALF = ".float16"
"""Appended to the name of a matrix that a graph stores as float16; the output of the Cast has the original name."""
CODES, SCALES = ".codes", ".scales"
"""Appended to the name of a matrix that a graph stores in 8 bits."""
SMALLEST = 1 << 12
"""The number of elements from which on a matrix is stored as float16: smaller ones save less than 8 KB each."""
BLOCK = 64  # weights of a row that share a scale
_ZERO = 128  # the code of the value 0, as MatMulNBits has it without zero points


def store_halves(model: onnx.ModelProto) -> list[str]:
    """Store float32 constants as float16, in place, where float16 holds them exactly; return their names."""
    graph = model.graph
    names = []
    for constant in list(graph.initializer):
        array = numpy_helper.to_array(constant)
        if constant.data_type != TensorProto.FLOAT or array.size < SMALLEST:
            continue
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), array):
            continue
        names.append(constant.name)
        graph.initializer.remove(constant)
        graph.initializer.append(numpy_helper.from_array(half, constant.name + HALF))
        stored = constant.name + HALF
        graph.node.insert(0, helper.make_node("Cast", [stored], [constant.name], f"Cast:{stored}", to=TensorProto.FLOAT))
    return names


def widen_halves(model: onnx.ModelProto) -> None:
    """Undo `store_halves`, in place: every matrix becomes a float32 constant again."""
    graph = model.graph
    arrays = constants(model)
    for node in list(graph.node):
        if node.op_type == "Cast" and node.input[0] == node.output[0] + HALF:
            graph.node.remove(node)
    for constant in list(graph.initializer):
        if constant.name.endswith(HALF):
            graph.initializer.remove(constant)
            name = constant.name.removesuffix(HALF)
            graph.initializer.append(numpy_helper.from_array(arrays[name], name))


def constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """The constants of a graph by name. Matrices stored as float16 are returned as float32, under their original names."""
    arrays = {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}
    return {
        name.removesuffix(HALF): array.astype(np.float32) if name.endswith(HALF) else array for name, array in arrays.items()
    }


class BlockCodes(NamedTuple):
    """Codes of 8 bits, and a scale for every block of 64 weights of a row: weight = (code - 128) scale."""

    codes: NDArray[np.uint8]
    """Codes (rows, blocks, 64), from 1 to 255."""
    scales: NDArray[np.float32]
    """Scales (rows, blocks): the largest weight of a block is 127 of them."""

    @classmethod
    def of(cls, weights: NDArray[np.float32]) -> BlockCodes:
        """Round weights (rows, columns), with columns a multiple of 64: each changes by at most half a scale."""
        blocks = weights.reshape(len(weights), -1, BLOCK)
        scales = (np.abs(blocks).max(axis=2) / 127).astype(np.float32)
        scales[scales == 0] = 1
        rounded = np.clip(np.rint(blocks / scales[:, :, None]), -127, 127)
        return cls((rounded + _ZERO).astype(np.uint8), scales)

    def weights(self) -> NDArray[np.float32]:
        """The rounded weights, float32 (rows, columns)."""
        return ((self.codes.astype(np.float32) - _ZERO) * self.scales[:, :, None]).reshape(len(self.codes), -1)
