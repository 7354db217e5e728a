"""Puts a head behind a live graph: samples in, decisions out.

The state of a source is longer by the descriptors of the last frames, which of them were heard, and how many windows have
passed. Further outputs: `decided` bool (n, 1), whether there is a decision with this hop, and `probabilities` float32
(n, labels) or `value` float32 (n, 1). They are those of `Judge` within 1e-5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgevoice.config import ModelConfig
from edgevoice.features import Layout
from edgevoice.heads.head import KEY, Head
from edgevoice.recipe import Recipe
from edgevoice_export.onnx.graph import Graph, flags, floats, name_nodes
from edgevoice_export.onnx.graphlevels import columns


def add_head(model: onnx.ModelProto, config: ModelConfig, head: Head, size: int) -> None:
    """Put a head behind the live graph of a model, in place.

    Args:
        model: from `convert_to_live`.
        config: its model's.
        head: fitted with that model, at its own level and hop.
        size: of the state without the head.

    Raises:
        HeadError: the head was fitted with another model, level or hop.
    """
    head.check(Recipe.of(config, descriptors=head.recipe.descriptors))
    facts, graph = head, Graph()
    past = facts.frames - 1
    at = [size, size + past * facts.descriptors, size + past * (facts.descriptors + 1)]
    before, marks, count = (
        columns(graph, "state", first, last) for first, last in zip(at, [*at[1:], at[2] + 1], strict=True)
    )
    values: str = "descriptors"
    if head.recipe.descriptors != "all":
        own = Layout.of(config).columns(head.recipe.descriptors)
        values = columns(graph, values, own.start, own.stop)
    # A window that is wholly lost is a row of zeros that nobody heard; none counts before the first frame.
    values = graph.add("Where", "ready", values, np.float32(0))
    heard = graph.add("Cast", graph.add("And", "ready", graph.add("Not", "silent")), to=TensorProto.FLOAT)
    begun = graph.add("Or", "ready", graph.add("Greater", count, np.float32(0)))
    count = graph.add("Add", count, graph.add("Cast", begun, to=TensorProto.FLOAT))
    count = graph.add("Min", count, np.float32(facts.frames))
    rows, all_heard = graph.add("Concat", before, values, axis=1), graph.add("Concat", marks, heard, axis=1)
    shape = np.array([-1, facts.frames, facts.descriptors])
    graph.add("Reshape", rows, shape, output="frames")
    graph.add("Less", all_heard, np.float32(0.5), output="silent_frames")
    full = graph.add("And", "ready", graph.add("GreaterOrEqual", count, np.float32(facts.frames)))
    ends = [(rows, facts.descriptors, facts.frames * facts.descriptors), (all_heard, 1, facts.frames)] if past else []
    graph.add("Concat", "state_of_stream", *(columns(graph, *end) for end in ends), count, axis=1, output="state_out")
    graph.add("And", full, "decided_by_head", output="decided")
    result, own, whole = "probabilities" if head.labels else "value", onnx.load_from_string(head.data).graph, at[2] + 1
    for node in model.graph.node:
        node.output[:] = ["state_of_stream" if name == "state_out" else name for name in node.output]
    shared = ("descriptors", "ready", "silent", "state", "state_of_stream", "state_out", "decided")
    outer = {name: name for name in shared}
    inner = {"frames": "head/frames", "silent": "head/silent_frames", "decided": "head/decided_by_head", result: result}
    _place(model.graph, graph.nodes[:-1], graph.constants, outer, "head/")
    _place(model.graph, own.node, own.initializer, inner, "head/own/")
    _place(model.graph, graph.nodes[-1:], [], outer, "head/")
    for value in (*model.graph.input, *model.graph.output):
        if value.name in ("state", "state_out"):
            value.CopyFrom(floats(value.name, whole))
    model.graph.output.extend([flags("decided"), floats(result, len(head.labels) or 1)])
    name_nodes(model)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    helper.set_model_props(model, {**metadata, "state": json.dumps(whole), KEY: json.dumps(facts.about)})
    onnx.checker.check_model(model, full_check=True)


def state_of_head(head: Head) -> int:
    """How much longer the state of a source is."""
    return (head.frames - 1) * (head.descriptors + 1) + 1


def _place(
    graph: onnx.GraphProto,
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto],
    known: Mapping[str, str],
    prefix: str,
) -> None:
    """Append nodes and their constants to a graph, all names with a prefix but those that are known."""
    for node in nodes:
        graph.node.append(node)
        placed = graph.node[-1]
        placed.input[:] = [known.get(name, prefix + name) for name in node.input]
        placed.output[:] = [known.get(name, prefix + name) for name in node.output]
        placed.name = ""
    for tensor in constants:
        graph.initializer.append(tensor)
        graph.initializer[-1].name = prefix + tensor.name
