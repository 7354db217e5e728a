"""Builds an ONNX graph, operator by operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """The nodes and constants of a graph under construction, in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        """The nodes, in the order in which they are computed."""
        self.constants: list[onnx.TensorProto] = []
        """The constants that the nodes use."""

    def add(self, operator: str, *inputs: Any, output: str | None = None, **attributes: Any) -> str:
        """Append an operator on values (names) and constants (arrays); return the name of its output."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def _constant(self, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"constant_{len(self.constants)}"))
        return str(self.constants[-1].name)


def floats(name: str, *shape: int) -> onnx.ValueInfoProto:
    """An input or output of a graph: float32 (n, *shape)."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
