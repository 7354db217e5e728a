"""Queries and edits of graphs that the rewrites share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnxscript import optimizer

_ANY_SIZE = 1 << 40  # the exporter writes the weights of an LSTM as slices of larger arrays


def only_producer(value: ir.Value | None, *operators: str) -> ir.Node | None:
    """The node that makes a value, if it is one of these operators and the value has one user only."""
    node = value.producer() if value is not None else None
    if node is None or node.op_type not in operators or len(node.outputs) != 1:
        return None
    made = node.outputs[0]
    return node if len(made.uses()) == 1 and not made.is_graph_output() else None


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """The array of an initialiser or a constant; None for values that depend on the input, and for missing values."""
    tensor = ir.convenience.get_const_tensor(value) if value is not None else None
    return None if tensor is None else tensor.numpy()


def operand(node: ir.Node, index: int) -> Any:
    """The input of a node at an index, an ir.Value; None where it is missing."""
    return node.inputs[index] if index < len(node.inputs) else None


def attribute(node: ir.Node, name: str, default: Any) -> Any:
    """The value of an attribute; tuples for lists, strings for strings."""
    found = node.attributes.get(name)
    if found is None:
        return default
    return tuple(found.value) if isinstance(found.value, list | tuple) else found.value


def add_initialiser(model: ir.Model, name: str, array: NDArray[Any]) -> ir.Value:
    """Add an initialiser with this name, or with a similar one if the name is taken."""
    free, count = name, 0
    while free in model.graph.initializers:
        count += 1
        free = f"{name}_{count}"
    tensor = ir.tensor(np.ascontiguousarray(array), name=free)
    value = ir.Value(name=free, const_value=tensor, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape))
    model.graph.initializers.add(value)
    return value


def put_before(node: ir.Node, made: Mapping[str, ir.Node]) -> None:
    """Put new nodes of one output each before a node, in their order. The keys name the outputs, whose type is its own."""
    graph = cast(ir.Graph, node.graph)
    for name, new in made.items():
        new.outputs[0].name, new.outputs[0].type = name, node.outputs[0].type
        graph.insert_before(node, new)


def bypass(node: ir.Node, value: ir.Value) -> None:
    """Let all users of a node's only output use another value, which a node makes, and remove the node."""
    output, graph = node.outputs[0], cast(ir.Graph, node.graph)
    if output.is_graph_output():  # the graph's outputs keep their names
        value.name, output.name = output.name, f"{output.name}_before"
    ir.convenience.replace_all_uses_with(output, value, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def fold_constants(model: ir.Model) -> None:
    """Replace every value that depends on constants only by a constant."""
    optimizer.fold_constants(model, input_size_limit=_ANY_SIZE, output_size_limit=_ANY_SIZE)
    optimizer.remove_unused_nodes(model)
