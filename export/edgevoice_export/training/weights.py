"""Weights of a network, read from a checkpoint of training or from a model folder.

A model folder holds them for verification and for further training. Its graphs already have the large matrices of the code
unchanged, so `network.pt` keeps the tensors that the exporter's rewrites have changed, and the names of the others.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevoice.errors import ModelConfigError, ModelFilesError
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.networks.batchstatistics import use_batch_statistics
from edgevoice_export.onnx.blockcodes import BlockCodes
from edgevoice_export.onnx.halves import constants
from edgevoice_export.training.checkpoint import Checkpoint, load_tensors
from edgevoice_export.training.lineage import Lineage, Run, model_lineage

NETWORK_FILE = "network.pt"
CODES, SCALES = ".codes", ".scales"
"""Appended to the name of a matrix that a graph stores in 8 bits."""


class Weights(NamedTuple):
    """The weights of a network, and the facts needed to build it."""

    arch: str
    units: int
    tensors: dict[str, Tensor]
    """As the network's `state_dict` has them."""
    statistics: Literal["running", "batch"] = "running"
    """The statistics that batch norms use."""
    lineage: Lineage = ()
    """The runs that led to the weights, as far as they are known."""

    def network(self) -> nn.Module:
        """Build the network, in evaluation mode.

        Raises:
            ModelConfigError: the architecture is unknown, or the tensors do not fit it.
        """
        if self.arch not in ARCHITECTURES:
            raise ModelConfigError(f"architecture {self.arch!r} is not one of {', '.join(ARCHITECTURES)}")
        network = ARCHITECTURES[self.arch].network(self.units)
        load_weights(network, self.tensors)
        return (use_batch_statistics(network) if self.statistics == "batch" else network).eval()


def load_weights(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load tensors into a network.

    Raises:
        ModelConfigError: they do not fit.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise ModelConfigError(f"the weights do not fit the network: {lines[min(1, len(lines) - 1)].strip()}") from error


def read_weights(source: str | os.PathLike[str]) -> Weights:
    """Read the weights from a checkpoint, from a bare file of weights, or from a model folder by its name or path.

    A bare file holds a dictionary with the `state_dict` of a network as `weights`; which network it is follows from the
    names and shapes of its tensors.

    Raises:
        ModelNotFoundError: there is no such file or model.
        ModelConfigError: the file is not a checkpoint.
        ModelFilesError: the model folder has no weights for training, or is damaged.
    """
    if Path(source).is_file():
        content = load_tensors(Path(source), str(source))
        if "weights" in content and "run" not in content:
            return _bare_weights(Path(source), content["weights"])
        found = Checkpoint.read(Path(source))
        settings, lineage = found.settings, (*found.earlier, found.run)
        return Weights(settings.arch, settings.units, found.weights, lineage=lineage)
    return unpack_weights(find_model(source))


def _bare_weights(path: Path, tensors: dict[str, Tensor]) -> Weights:
    """Weights of the architecture that they fit, without a history.

    Raises:
        ModelConfigError: they fit none.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    run = Run(path.stem, weights=f"{path.name} (sha256:{digest})")
    for arch, architecture in ARCHITECTURES.items():
        for units in architecture.units:
            with torch.device("meta"):
                wanted = {name: value.shape for name, value in architecture.network(units).state_dict().items()}
            if wanted == {name: value.shape for name, value in tensors.items()}:
                return Weights(arch, units, tensors, lineage=(run,))
    raise ModelConfigError(f"{path}: its weights fit none of the architectures {', '.join(ARCHITECTURES)}")


def pack_weights(weights: Weights, graphs: dict[str, onnx.ModelProto]) -> bytes:
    """The content of `network.pt` beside these graphs, whose initialisers have the names that the exporter gave them.

    A tensor that a graph holds unchanged is not stored twice: with all of them, `network.pt` of `cae-256` would have
    15.5 MB; it has 0.8.
    """
    arrays = _initialisers(graphs)
    content: dict[str, Any] = {"arch": weights.arch, "units": weights.units, "statistics": weights.statistics}
    content |= {"tensors": {}, "standing": {}}
    for name, tensor in weights.tensors.items():
        encoding = name.startswith("encoder.")
        place = ("encoder.onnx", name.removeprefix("encoder.")) if encoding else ("decoder.onnx", name)
        if place in arrays and _same_bits(arrays[place], tensor.numpy()):
            content["standing"][name] = place
        else:
            content["tensors"][name] = tensor.contiguous()
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def unpack_weights(folder: ModelFolder) -> Weights:
    """Read the weights of a model folder; 8-bit weights are returned as the rounded numbers.

    Raises:
        ModelFilesError: it has none, or is damaged.
        ModelConfigError: `network.pt` is not what this package writes.
    """
    if NETWORK_FILE not in folder.config.training or not (folder.path / NETWORK_FILE).is_file():
        raise ModelFilesError(
            f"{folder.path}: has no {NETWORK_FILE}, which holds the weights as they were trained{_hint(folder)}"
        )
    content = load_tensors(io.BytesIO(folder.read(NETWORK_FILE)), str(folder.path / NETWORK_FILE))
    if not {"arch", "units", "statistics", "tensors", "standing"} <= content.keys():
        raise ModelConfigError(f"{folder.path / NETWORK_FILE}: not written by edgevoice-export")
    files = sorted({file for file, _ in content["standing"].values()})
    arrays = _initialisers({file: onnx.load_from_string(folder.read(file)) for file in files})
    tensors = dict(content["tensors"])
    for name, (file, matrix) in content["standing"].items():
        if (file, matrix + CODES) in arrays:
            array = BlockCodes(arrays[file, matrix + CODES], arrays[file, matrix + SCALES]).weights()
        elif (file, matrix) in arrays:
            array = arrays[file, matrix].copy()
        else:
            raise ModelFilesError(f"{folder.path / file}: has no initialiser {matrix!r}")
        tensors[name] = torch.from_numpy(array)
    config = folder.config
    return Weights(content["arch"], content["units"], tensors, content["statistics"], model_lineage(config))


def _hint(folder: ModelFolder) -> str:
    """Where to find the weights of a model whose package does not contain them."""
    if NETWORK_FILE not in folder.config.training:
        return ""
    return (
        f". EdgeVoice's package leaves it out: it is in models/{folder.path.name} of EdgeVoice's repository; give that "
        "folder by its path, or put the file beside the networks"
    )


def _initialisers(graphs: dict[str, onnx.ModelProto]) -> dict[tuple[str, str], NDArray[Any]]:
    """The arrays in graphs, by file and name."""
    return {(file, name): array for file, graph in graphs.items() for name, array in constants(graph).items()}


def _same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return (one.shape, one.dtype, one.tobytes()) == (other.shape, other.dtype, other.tobytes())
