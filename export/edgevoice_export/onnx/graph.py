"""Builds ONNX graphs: operator by operator, and from the networks of a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder

OPSET = 18  # the version of ONNX's operators that every graph is written in

Transform = Literal["stft", "convolution"]
TRANSFORMS: tuple[Transform, ...] = ("stft", "convolution")
"""How a front end turns columns into spectra: by ONNX's STFT, or by a convolution, which CUDA computes too."""


class Graph:
    """The nodes and constants of a graph under construction, in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: Any, output: str | None = None, **attributes: Any) -> str:
        """Append an operator on values (names) and constants (arrays); return the name of its output."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def _constant(self, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"constant_{len(self.constants)}"))
        return str(self.constants[-1].name)

    def model(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any], ir_version: int) -> onnx.ModelProto:
        """The whole graph."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=ir_version)
        name_nodes(model)
        return model


def name_nodes(model: onnx.ModelProto) -> None:
    """Give every node a name of its own, in place; one that has such a name keeps it.

    ONNX Runtime before 1.22 names operators that it fuses after their nodes, and refuses a graph where two of these names
    are equal, as they are where nodes have none.
    """
    taken: set[str] = set()
    for node in model.graph.node:
        name = stem = node.name or f"{node.op_type}:{next(filter(None, node.output), '')}"
        count = 0
        while name in taken:
            count += 1
            name = f"{stem}_{count}"
        node.name = name
        taken.add(name)


def joined(folder: ModelFolder, front: Graph, inputs: Sequence[Any], kept: Sequence[Any] = ()) -> onnx.ModelProto:
    """Put what makes spectrograms before the networks of a model folder: one graph, whose first output is `descriptors`.

    `front` makes the value `spectrogram`, (n, 1, bands, columns), from the inputs of the whole graph, and further outputs,
    which are kept. ModelFilesError where a network cannot be read.
    """
    Networks(folder, whole_batches=True)  # loaded as users load it: what is no network is refused in words
    config, networks = folder.config, []
    for name in ("encoder", "decoder"):
        network = onnx.load_from_string(folder.read(f"{name}.onnx"))
        name_nodes(network)
        networks.append(compose.add_prefix(network, f"{name}/"))
    encoder, decoder = networks
    spectrogram = floats("spectrogram", 1, config.spectrogram.bands.count, config.columns)
    names = [value.name for value in kept]
    before = front.model("front", inputs, [spectrogram, *kept], max(encoder.ir_version, decoder.ir_version))
    model = compose.merge_models(
        before,
        encoder,
        io_map=[("spectrogram", "encoder/spectrogram")],
        outputs=["spectrogram", "encoder/bottleneck", *names],
    )
    model = compose.merge_models(
        model,
        decoder,
        io_map=[("spectrogram", "decoder/spectrogram"), ("encoder/bottleneck", "decoder/bottleneck")],
        outputs=["encoder/bottleneck", "decoder/error", *names],
    )
    graph = model.graph
    graph.node.append(helper.make_node("Concat", ["encoder/bottleneck", "decoder/error"], ["descriptors"], axis=1))
    del graph.output[:]
    graph.output.append(floats("descriptors", config.features.bottleneck + config.features.error))
    graph.output.extend(kept)
    graph.name, model.producer_name, model.doc_string = config.name, "edgevoice-export", config.summary
    name_nodes(model)
    return model


def floats(name: str, *shape: int) -> onnx.ValueInfoProto:
    """An input or output of a graph: float32 (n, *shape)."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])


def flags(name: str, count: int = 1) -> onnx.ValueInfoProto:
    """An input or output of a graph: bool (n, count)."""
    return helper.make_tensor_value_info(name, TensorProto.BOOL, ["n", count])
