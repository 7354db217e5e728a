"""A whole stream as one ONNX graph, for programs in any language: a hop of samples and a state in, a frame and a state out.

Inputs, for n sources at once, each independent of the others:

- `samples` float32 (n, hop), at the model's rate, full scale 1, as they come from the source;
- `lost` bool (n, hop // step): which steps of the hop contain lost samples; the values in their place are not used;
- `state` float32 (n, S): what the last call gave for the same source; zeros for a new source.

Outputs: `descriptors` float32 (n, D); `ready` bool (n, 1), whether this hop completed a window that is not wholly lost,
without which the other outputs mean nothing; `silent` and `gap` bool (n, 1); `state_out` float32 (n, S).

The graph cuts windows, follows the level in float64 and computes the spectrogram, the bottleneck and the errors. The
frames are those of `Stream` within 1e-5 (by `stft`). A sample that is not finite and not lost spoils the state of its
source: the caller must refuse it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgevoice.config import SILENCE, ModelConfig
from edgevoice.errors import ArgumentError
from edgevoice.features import Layout
from edgevoice.heads.head import Head
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.frontend import add_front_end
from edgevoice_export.onnx.graph import TRANSFORMS, Graph, Transform, flags, floats, joined
from edgevoice_export.onnx.graphlevels import LAST, LevelInput, columns, distance, graph_level
from edgevoice_export.onnx.livehead import add_head


def convert_to_live(folder: ModelFolder, transform: Transform = "stft", head: Head | None = None) -> onnx.ModelProto:
    """Put windows, level and front end of a model folder before its networks.

    Args:
        folder: the model folder.
        transform: as for `convert_to_pcm`.
        head: what decides behind it: see `livehead`.

    Raises:
        HeadError: the head was not fitted with this model at its own level and hop.
        ModelFilesError: a network cannot be read.
        ArgumentError: another transform; a level that needs the whole source; a window that is not a multiple of the hop.
    """
    if transform not in TRANSFORMS:
        raise ArgumentError(f"transform {transform!r}: expected {' or '.join(TRANSFORMS)}")
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
    helper.set_model_props(
        model, {key: value if isinstance(value, str) else json.dumps(value) for key, value in describe(folder).items()}
    )
    onnx.checker.check_model(model, full_check=True)
    if head is not None:
        add_head(model, config, head, size)
    return model


def describe(folder: ModelFolder) -> dict[str, Any]:
    """What a program must know to use such a graph. The metadata of the graph contains it too, each value as JSON."""
    config = folder.config
    return {
        "name": config.name,
        "version": config.version,
        "rate": config.audio.rate,
        "window": config.audio.window,
        "hop": config.audio.hop,
        "step": config.level.step,
        "state": state_size(config),
        "level": config.level.default,
        "names": Layout.of(config).names,
        "typical": config.typical and {"mean": config.typical.mean, "spread": config.typical.spread},
        "digests": {name: config.files[name] for name in ("encoder.onnx", "decoder.onnx")},
    }


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
