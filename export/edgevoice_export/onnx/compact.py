"""Compact models: the large matrices of a model folder are stored and read with 8 bits per weight instead of 32.

The layers around the code of an autoencoder have most of its weights, and for one window at a time a product with a
matrix of 7168 x 256 takes as long as reading the matrix from memory. ONNX Runtime's operator MatMulNBits reads a quarter
of the bytes in a third of the time. Rounding in blocks with a scale each is described by T. Dettmers et al., "8-bit
optimizers via block-wise quantization", ICLR 2022.

The encoder of `cae-256` then takes 0.8 of its time, the decoder 0.75, and the files not quite two thirds of their size, the
large matrices being stored with 16 bits before. It costs accuracy: the bottleneck of `cae-256` drifts by about 1 % of its
spread, which is measured and put on the card. MatMulNBits with `accuracy_level` 4 also rounds what goes into the product to
8 bits, with a scale for every 64 numbers; sums are float32. With float32 arithmetic (`accuracy_level` 0 or 1) ONNX Runtime
1.31 has no kernel for 8 bits on x86-64: all weights become float32 in every run, twenty times the time of the product.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgevoice.errors import ArgumentError
from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.onnx.halves import BLOCK, CODES, SCALES, BlockCodes, store_halves, widen_halves
from edgevoice_export.publish.card import compact_card
from edgevoice_export.publish.folder import NETWORK_FILE, digests, write_folder
from edgevoice_export.publish.markdown import table
from edgevoice_export.publish.verify import Images, Verification, VerificationError, outputs_of, verify

NETWORKS = ("encoder.onnx", "decoder.onnx")
LIMIT = 0.05
"""Largest allowed drift of the bottleneck: its rms relative to the spread."""

_SMALLEST = 1 << 18
"""The size of a matrix from which on 8 bits help: 1 MB. Smaller ones stay in the caches."""


@dataclass(frozen=True)
class Difference:
    """How much an output differs from that of the float32 model."""

    largest: float
    rms: float
    spread: float
    """Standard deviation of each number of the float32 model's output over the windows; its rms over the numbers."""

    @classmethod
    def between(cls, found: NDArray[np.floating], wanted: NDArray[np.floating]) -> Difference:
        """Compare outputs (n, ...) for the same windows."""
        difference = found.astype(np.float64) - wanted
        spread = np.sqrt(np.mean(wanted.astype(np.float64).var(axis=0)))
        return cls(float(np.abs(difference).max()), float(np.sqrt(np.mean(difference**2))), float(spread))

    @property
    def relative(self) -> float:
        """The rms, relative to the spread."""
        return self.rms / self.spread if self.spread else float("inf")


def compact_model(
    source: ModelFolder, out: Path, spectrograms: Images, audio_name: str, name: str | None = None
) -> tuple[ModelFolder, Verification, dict[str, Difference]]:
    """Write a copy of a model folder whose large matrices have 8-bit weights, over a model folder that is there.

    The drift is measured on `spectrograms`, float32 (n, 1, bands, columns) with n at least 7, of what `audio_name` says. If
    no name is given, the new model has that of the source with `-int8`.

    Raises:
        ArgumentError: the source has no matrix that is large enough, is compact already, or is what would be replaced.
        VerificationError: the drift of the bottleneck is above LIMIT; nothing is written then.
        ModelError, OutputError: the source cannot be used, or the folder not written.
    """
    config = source.config
    if "compact" in config.origin:
        raise ArgumentError(f"{source.path}: its weights already have 8 bits")
    if out.resolve() == source.path.resolve():
        raise ArgumentError(f"{out}: is the model itself; choose another folder for the new one")
    Networks(source, whole_batches=True)  # what is no network is refused in words
    graphs = {file: onnx.load_from_string(source.read(file)) for file in NETWORKS}
    changed = {file: compact_graph(graph) for file, graph in graphs.items()}
    if not any(changed.values()):
        raise ArgumentError(f"{source.path}: no matrix product has {_SMALLEST} weights or more, and whole blocks of {BLOCK}")
    networks = {file: graph.SerializeToString() for file, graph in graphs.items()}
    trained = NETWORK_FILE in config.training and (source.path / NETWORK_FILE).is_file()  # a package leaves it out
    packed = {NETWORK_FILE: source.read(NETWORK_FILE)} if trained else {}
    name = name or f"{config.name}-int8"
    reference, compute = outputs_of(source.read), outputs_of(networks.__getitem__)
    verification = verify(compute, reference, spectrograms)
    expected, found = reference(spectrograms), compute(spectrograms)
    drifts = {output: Difference.between(found[output], expected[output]) for output in expected}
    if not drifts["bottleneck"].relative <= LIMIT:
        raise VerificationError(
            f"{name}: the bottleneck would differ from that of {config.name} by {drifts['bottleneck'].relative:.1%} of its "
            f"spread, more than {LIMIT:.0%}"
        )
    origin = {
        "model": f"{config.name} {config.version}",
        "files": {file: config.files[file] for file in NETWORKS},
        "weights": {file: names for file, names in changed.items() if names},
        "bits": 8,
        "block": BLOCK,
        "windows": len(spectrograms),
        "drift": {output: dataclasses.asdict(drift) for output, drift in drifts.items()},
    }
    made = dataclasses.replace(
        config, name=name, files=digests(networks), training=digests(packed), origin={**config.origin, "compact": origin}
    )
    sizes = {file: (len(source.read(file)), len(content)) for file, content in {**networks, **packed}.items()}
    drift_rows = [
        [output, f"{drift.largest:.1e}", f"{drift.rms:.1e}", f"{drift.spread:.1e}", f"{drift.relative:.2%}"]
        for output, drift in drifts.items()
    ]
    size_rows = [[f"`{file}`", str(before), str(after)] for file, (before, after) in sizes.items()]
    tables = (
        table(["", "largest difference", "rms", "spread", "rms / spread"], drift_rows, "lrrrr"),
        table(["bytes", "float32", "8 bits"], size_rows, "lrr"),
    )
    card = compact_card(made, config, audio_name, len(spectrograms), *tables)
    return write_folder(out, made, {**networks, **packed, "README.md": card.encode()}), verification, drifts


def compact_graph(model: onnx.ModelProto) -> list[str]:
    """Turn the large matrix products of a graph into MatMulNBits, in place; return the names of the matrices."""
    widen_halves(model)
    graph = model.graph
    arrays = {initialiser.name: initialiser for initialiser in graph.initializer}
    uses = [name for node in graph.node for name in node.input]
    names = []
    for place, node in enumerate(graph.node):
        if not _is_linear(node) or node.input[1] not in arrays or uses.count(node.input[1]) > 1:
            continue
        weight = arrays[node.input[1]]
        rows, columns = weight.dims
        if rows * columns < _SMALLEST or columns % BLOCK:
            continue
        made = BlockCodes.of(numpy_helper.to_array(weight))
        names.append(weight.name)
        codes, scales = weight.name + CODES, weight.name + SCALES
        graph.initializer.remove(weight)
        graph.initializer.extend([numpy_helper.from_array(made.codes, codes), numpy_helper.from_array(made.scales, scales)])
        # Left out: zero points, which are 128 then, and an order of the columns.
        inputs = [node.input[0], codes, scales, *(["", "", node.input[2]] if len(node.input) > 2 else [])]
        attributes = {"K": columns, "N": rows, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
        product = helper.make_node("MatMulNBits", inputs, node.output, node.name, domain="com.microsoft", **attributes)
        graph.node[place].CopyFrom(product)
    if names:
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    store_halves(model)
    return names


def _is_linear(node: onnx.NodeProto) -> bool:
    """Whether a node is x W^T + b, as PyTorch's linear layers are exported."""
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    plain = values.get("alpha", 1.0) == 1 and values.get("beta", 1.0) == 1 and not values.get("transA", 0)
    return bool(node.op_type == "Gemm" and plain and values.get("transB", 0))
