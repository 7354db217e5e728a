"""A whole stream as one ONNX graph, for programs in any language: a hop of samples and a state in, a frame and a state out.

Inputs, for n sources at once, each independent of the others: `samples` float32 (n, hop), at the model's rate, full scale 1;
`lost` bool (n, hop // step), which steps of the hop contain lost samples, whose values are not used; `state` float32 (n, S),
what the last call gave for the same source, zeros for a new one. Outputs: `descriptors` float32 (n, D); `ready` bool
(n, 1), whether this hop completed a window that is not wholly lost, without which the other outputs mean nothing; `silent`
and `gap` bool (n, 1); `state_out` float32 (n, S).

The graph cuts windows, follows the level in float64 and computes the spectrogram, the bottleneck and the errors. The
frames are those of `Stream` within 1e-5 (by `stft`). A sample that is not finite and not lost spoils the state of its
source: the caller must refuse it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgevoice.config import SILENCE, ModelConfig
from edgevoice.errors import ArgumentError
from edgevoice.features import Layout
from edgevoice.heads.head import KEY, Head
from edgevoice.modelfolder import ModelFolder
from edgevoice.recipe import Recipe
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.frontend import add_front_end
from edgevoice_export.onnx.graph import Graph, Transform, flags, floats, joined, name_nodes
from edgevoice_export.onnx.graphlevels import LAST, LevelInput, columns, distance, graph_level


def convert_to_live(folder: ModelFolder, transform: Transform = "stft", head: Head | None = None) -> onnx.ModelProto:
    """Put windows, level and front end of a model folder before its networks.

    The transform is `stft`, ONNX's own operator, in float64 as the runtime's front end; or a convolution with the tapered
    sines and cosines, in float32, for providers that have no STFT, such as CUDA: its rounding errors, 1e-7 of the loudest
    amplitude, cover what is quieter than that. A head decides behind it: see `add_head`.

    Raises:
        HeadError: the head was not fitted with this model at its own level and hop.
        ModelFilesError: a network cannot be read.
        ArgumentError: a level that needs the whole source; a window that is not a multiple of the hop.
    """
    config = folder.config
    graph_level(config)
    if config.audio.window % config.audio.hop:
        raise ArgumentError(
            f"{config.name}: its window, {config.audio.window}, is no multiple of its hop, {config.audio.hop}"
        )
    size = state_size(config)
    inputs = [
        floats("samples", config.audio.hop),
        flags("lost", config.audio.hop // config.level.step),
        floats("state", size),
    ]
    kept = [flags("ready"), flags("silent"), flags("gap"), floats("state_out", size)]
    model = joined(folder, _stream_graph(config, transform), inputs, kept)
    facts = describe(folder).items()
    helper.set_model_props(model, {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts})
    onnx.checker.check_model(model, full_check=True)
    if head is not None:
        add_head(model, config, head, size)
    return model


def convert_to_pcm(folder: ModelFolder, transform: Transform = "stft") -> onnx.ModelProto:
    """Put the front end of a model folder before its networks, without windows, level and state; else as `convert_to_live`.

    Samples go in, float32 (n, window), at the model's rate and level, as `Extractor.encode` takes them; descriptors come
    out, float32 (n, bottleneck + error). Sums are ordered otherwise than in NumPy: for noise at all levels of speech,
    descriptors differ from the runtime's by up to 4e-6.
    """
    graph = Graph()
    add_front_end(graph, Preprocessing.of(folder.config), transform, "samples")
    model = joined(folder, graph, [floats("samples", folder.config.audio.window)])
    onnx.checker.check_model(model, full_check=True)
    return model


def describe(folder: ModelFolder, head: Head | None = None) -> dict[str, Any]:
    """What a program must know to use such a graph. The metadata of the graph contains it too, each value as JSON."""
    config, size = folder.config, state_size(folder.config)
    facts: dict[str, Any] = {
        "name": config.name,
        "version": config.version,
        "rate": config.audio.rate,
        "window": config.audio.window,
        "hop": config.audio.hop,
        "step": config.level.step,
        "state": size if head is None else size + (head.frames - 1) * (head.descriptors + 1) + 1,
        "level": config.level.default,
        "names": Layout.of(config).names,
        "typical": config.typical and {"mean": config.typical.mean, "spread": config.typical.spread},
        "digests": {name: config.files[name] for name in ("encoder.onnx", "decoder.onnx")},
    }
    return facts if head is None else {**facts, "head": head.about}


def state_size(config: ModelConfig) -> int:
    """The number of values in the state of one source."""
    past = config.audio.window - config.audio.hop
    return past + past // config.level.step + 1 + graph_level(config).state


def _stream_graph(config: ModelConfig, transform: Transform) -> Graph:
    """Samples, lost steps and state -> spectrogram, flags, state."""
    graph = Graph()
    window, hop, step = config.audio.window, config.audio.hop, config.level.step
    past = window - hop
    gone = graph.add("Unsqueeze", "lost", np.array([2]))
    rows = graph.add("Reshape", "samples", np.array([-1, hop // step, step]))
    windowed = graph.add("Reshape", graph.add("Where", gone, np.float32(0), rows), np.array([-1, hop]))
    marks = graph.add("Cast", "lost", to=TensorProto.FLOAT)
    at = past + past // step
    count = columns(graph, "state", at, at + 1)
    if past:
        windowed = graph.add("Concat", columns(graph, "state", 0, past), windowed, axis=1)
        marks = graph.add("Concat", columns(graph, "state", past, at), marks, axis=1)
    # Hops are counted only as far as a window needs them, so that a source may go on without end.
    count = graph.add("Min", graph.add("Add", count, np.float32(1)), np.float32(window // hop))
    full = graph.add("Equal", count, np.float32(window // hop))
    whole = graph.add("ReduceMin", marks, LAST, keepdims=1)
    graph.add("And", full, graph.add("Less", whole, np.float32(0.5)), output="ready")
    graph.add("Greater", graph.add("ReduceMax", marks, LAST, keepdims=1), np.float32(0.5), output="gap")
    exact = graph.add("Cast", windowed, to=TensorProto.DOUBLE)
    high, low = (graph.add(name, exact, LAST, keepdims=1) for name in ("ReduceMax", "ReduceMin"))
    steps = graph.add("Cast", rows, to=TensorProto.DOUBLE)
    offset, peak, rest = graph_level(config).add(graph, config, LevelInput(steps, exact, high, low), at + 1)
    graph.add("Less", distance(graph, high, low, offset), np.float64(SILENCE), output="silent")
    levelled = graph.add("Div", graph.add("Sub", exact, offset), peak)
    add_front_end(graph, Preprocessing.of(config), transform, levelled)
    kept = [columns(graph, windowed, hop, window), columns(graph, marks, hop // step, window // step)] if past else []
    graph.add("Concat", *kept, count, *rest, axis=1, output="state_out")
    return graph


def add_head(model: onnx.ModelProto, config: ModelConfig, head: Head, size: int) -> None:
    """Put a head behind the live graph of a model, in place: samples in, decisions out.

    The state of a source, of `size` numbers without the head, is longer by the descriptors of the last frames, which of
    them were heard, and how many windows have passed. Further outputs: `decided` bool (n, 1), whether there is a decision
    with this hop, and `probabilities` float32 (n, labels) or `value` float32 (n, 1). They are those of `Judge` within 1e-5.

    Raises:
        HeadError: the head was fitted with another model, level or hop.
    """
    head.check(Recipe.of(config, descriptors=head.recipe.descriptors))
    graph = Graph()
    past = head.frames - 1
    at = [size, size + past * head.descriptors, size + past * (head.descriptors + 1)]
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
    count = graph.add("Min", count, np.float32(head.frames))
    rows, all_heard = graph.add("Concat", before, values, axis=1), graph.add("Concat", marks, heard, axis=1)
    shape = np.array([-1, head.frames, head.descriptors])
    graph.add("Reshape", rows, shape, output="frames")
    graph.add("Less", all_heard, np.float32(0.5), output="silent_frames")
    full = graph.add("And", "ready", graph.add("GreaterOrEqual", count, np.float32(head.frames)))
    ends = [(rows, head.descriptors, head.frames * head.descriptors), (all_heard, 1, head.frames)] if past else []
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
    helper.set_model_props(model, {**metadata, "state": json.dumps(whole), KEY: json.dumps(head.about)})
    onnx.checker.check_model(model, full_check=True)


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
