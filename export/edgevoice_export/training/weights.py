"""Weights of a network, read from a checkpoint of training or from a model folder.

A model folder holds them for verification and for further training. Its graphs already have the large matrices of the code
unchanged, so `network.pt` keeps the tensors that the exporter's rewrites have changed, and the names of the others. Where
that file is missing, as in EdgeVoice's package, training begins with what `recovery` makes of the graphs.
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
from edgevoice_export.onnx.halves import BlockCodes, constants
from edgevoice_export.training.recovery import recovered
from edgevoice_export.training.runs import Checkpoint, Lineage, Run, load_tensors, model_lineage

NETWORK_FILE = "network.pt"
GRAPHS = ("encoder.onnx", "decoder.onnx")
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
    recovered: bool = False
    """Whether they come from graphs, which lack the statistics of batch norms."""

    @property
    def ordered(self) -> bool:
        """Whether the first numbers of their code are a code too."""
        last = self.lineage[-1].settings if self.lineage else None
        return last is not None and last.ordered > 0

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
        ModelFilesError: the model folder has neither weights for training nor graphs that give such, or is damaged.
    """
    if Path(source).is_file():
        content = load_tensors(Path(source), str(source))
        if "weights" in content and "run" not in content:
            return _bare_weights(Path(source), content["weights"])
        found = Checkpoint.read(Path(source))
        settings, lineage = found.settings, (*found.earlier, found.run)
        return Weights(settings.arch, settings.units, found.weights, lineage=lineage)
    folder = find_model(source)
    if _has_weights(folder):
        return unpack_weights(folder)
    made = recovered(folder, _arrays({file: onnx.load_from_string(folder.read(file)) for file in GRAPHS}))
    if made is None:
        raise ModelFilesError(f"{folder.path}: has no {NETWORK_FILE}, and no architecture gives the numbers of its graphs")
    return Weights(*made, lineage=model_lineage(folder.config), recovered=True)


def _bare_weights(path: Path, tensors: dict[str, Tensor]) -> Weights:
    """Weights of the architecture that they fit, without a history.

    Raises:
        ModelConfigError: they fit none.
    """
    arch, units = fitting(tensors, str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    run = Run(path.stem, weights=f"{path.name} (sha256:{digest})")
    return Weights(arch, units, tensors, lineage=(run,))


def fitting(tensors: dict[str, Tensor], name: str) -> tuple[str, int]:
    """The architecture and the size of a network with these tensors.

    Raises:
        ModelConfigError: none has them; the message begins with `name`.
    """
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    for arch, architecture in ARCHITECTURES.items():
        for units in architecture.units:
            with torch.device("meta"):
                wanted = architecture.network(units).state_dict()
            if shapes == {key: tensor.shape for key, tensor in wanted.items()}:
                return arch, units
    raise ModelConfigError(f"{name}: its weights fit none of the architectures {', '.join(ARCHITECTURES)}")


def pack_weights(weights: Weights, graphs: dict[str, onnx.ModelProto]) -> bytes:
    """The content of `network.pt` beside these graphs, whose initialisers have the names that the exporter gave them.

    A tensor that a graph holds unchanged is not stored twice: with all of them, `network.pt` of `cae-256` would have
    15.5 MB; it has 0.8.
    """
    arrays = _arrays(graphs)
    content: dict[str, Any] = {"arch": weights.arch, "units": weights.units, "statistics": weights.statistics}
    content |= {"tensors": {}, "standing": {}}
    for name, tensor in weights.tensors.items():
        if name in arrays and _same_bits(arrays[name], tensor.numpy()):
            encoding = name.startswith("encoder.")
            place = ("encoder.onnx", name.removeprefix("encoder.")) if encoding else ("decoder.onnx", name)
            content["standing"][name] = place
        else:
            content["tensors"][name] = tensor.contiguous()
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def unpack_weights(folder: ModelFolder) -> Weights:
    """Read the weights of a model folder as they were trained; 8-bit weights are returned as the rounded numbers.

    Raises:
        ModelFilesError: it has none, or is damaged.
        ModelConfigError: `network.pt` is not what this package writes.
    """
    path = folder.path / NETWORK_FILE
    if not _has_weights(folder):
        listed = NETWORK_FILE in folder.config.training
        hint = f"; EdgeVoice's package leaves it out, the repository has it in models/{folder.path.name}" if listed else ""
        raise ModelFilesError(f"{folder.path}: has no {NETWORK_FILE}, which holds the weights as they were trained{hint}")
    content = load_tensors(io.BytesIO(folder.read(NETWORK_FILE)), str(path))
    if not {"arch", "units", "statistics", "tensors", "standing"} <= content.keys():
        raise ModelConfigError(f"{path}: not written by edgevoice-export")
    files = sorted({file for file, _ in content["standing"].values()})
    arrays = _arrays({file: onnx.load_from_string(folder.read(file)) for file in files})
    tensors = dict(content["tensors"])
    for name in content["standing"]:
        if name not in arrays:
            raise ModelFilesError(f"{folder.path}: its graphs have no initialiser for {name}")
        tensors[name] = torch.from_numpy(arrays[name].copy())
    return Weights(content["arch"], content["units"], tensors, content["statistics"], model_lineage(folder.config))


def _has_weights(folder: ModelFolder) -> bool:
    return NETWORK_FILE in folder.config.training and (folder.path / NETWORK_FILE).is_file()


def _arrays(graphs: dict[str, onnx.ModelProto]) -> dict[str, NDArray[Any]]:
    """The arrays in graphs, by the names that the network has for them; 8-bit matrices as the rounded numbers."""
    found: dict[str, NDArray[Any]] = {}
    for file, graph in graphs.items():
        part = "encoder." if file == "encoder.onnx" else ""
        found |= {part + name: array for name, array in constants(graph).items()}
    for name in [name.removesuffix(CODES) for name in found if name.endswith(CODES)]:
        found[name] = BlockCodes(found[name + CODES], found[name + SCALES]).weights()
    return found


def _same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return (one.shape, one.dtype, one.tobytes()) == (other.shape, other.dtype, other.tobytes())
