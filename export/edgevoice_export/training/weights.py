"""Weights of a network, read from a checkpoint of training or from a model folder.

A model folder's graphs have the large matrices of the code unchanged, so `network.pt` keeps the tensors that the exporter's
rewrites have changed, and the names of the others. Where that file is missing, as in EdgeVoice's package, training begins
with what `recovered` makes of the graphs.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevoice.errors import ModelConfigError, ModelFilesError
from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.networks.architecture import replace_modules
from edgevoice_export.onnx.convert import network_reference, pytorch_order
from edgevoice_export.onnx.halves import CODES, SCALES, BlockCodes, constants
from edgevoice_export.onnx.rewrites.upsampling import full_kernel
from edgevoice_export.publish.folder import NETWORK_FILE
from edgevoice_export.publish.verify import default_tolerance, outputs_of, synthetic_spectrograms, verify
from edgevoice_export.training.runs import Checkpoint, Lineage, Run, load_tensors, model_lineage

GRAPHS = ("encoder.onnx", "decoder.onnx")
_COMPARED = 7  # windows
Arrays = dict[str, NDArray[Any]]


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
        """Build the network, in evaluation mode; ModelConfigError for another architecture or tensors that do not fit."""
        if self.arch not in ARCHITECTURES:
            raise ModelConfigError(f"architecture {self.arch!r} is not one of {', '.join(ARCHITECTURES)}")
        network = ARCHITECTURES[self.arch].network(self.units)
        load_weights(network, self.tensors)
        if self.statistics == "batch":
            replace_modules(network, nn.BatchNorm2d, BatchStatisticsNorm)
        return network.eval()


def load_weights(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load tensors into a network; ModelConfigError where they do not fit."""
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
    if (path := Path(source)).is_file():
        content = load_tensors(path, str(source))
        if "weights" in content and "run" not in content:
            run = Run(path.stem, weights=f"{path.name} (sha256:{hashlib.sha256(path.read_bytes()).hexdigest()})")
            return Weights(*fitting(content["weights"], str(path)), content["weights"], lineage=(run,))
        found = Checkpoint.read(path)
        settings, lineage = found.settings, (*found.earlier, found.run)
        return Weights(settings.arch, settings.units, found.weights, lineage=lineage)
    folder = find_model(source)
    Networks(folder, whole_batches=True)  # what is no network is refused in words
    if _has_weights(folder):
        return unpack_weights(folder)
    made = recovered(folder, _arrays({file: onnx.load_from_string(folder.read(file)) for file in GRAPHS}))
    if made is None:
        raise ModelFilesError(f"{folder.path}: has no {NETWORK_FILE}, and no architecture gives the numbers of its graphs")
    return Weights(*made, lineage=model_lineage(folder.config), recovered=True)


def fitting(tensors: dict[str, Tensor], name: str) -> tuple[str, int]:
    """The architecture and the size of a network with these tensors; a ModelConfigError begins with `name`."""
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
        if (
            name in arrays
            and arrays[name].dtype == tensor.numpy().dtype
            and arrays[name].tobytes() == tensor.numpy().tobytes()
        ):
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


def recovered(folder: ModelFolder, arrays: Arrays) -> tuple[str, int, dict[str, Tensor]] | None:
    """Architecture, size and tensors of a network that gives the numbers of a folder's graphs; None if there is none.

    What `onnx.convert` and its rewrites did is undone tensor by tensor: low-resolution kernels become 3x3 kernels again,
    gates of LSTMs get PyTorch's order. What a batch norm was folded into keeps it: the norm becomes a shift, and the
    statistics that it had are lost, so that it must not learn new ones (`--fixed-norms 1`). The network is then compared
    with the graphs, whose constants are `arrays`; names of the encoder's begin with `encoder.`, as the network's do.
    """
    config = folder.config
    preprocessing, units = Preprocessing.of(config), config.features.bottleneck
    # The one of the last training run first: two may have tensors of the same names and sizes.
    own = [run.settings.arch for run in model_lineage(config)[-1:] if run.settings]
    for arch in sorted(ARCHITECTURES, key=lambda arch: arch not in own):
        if units not in ARCHITECTURES[arch].units or ARCHITECTURES[arch].preprocessing.shape != preprocessing.shape:
            continue
        network = ARCHITECTURES[arch].network(units).eval()
        try:
            network.load_state_dict(_tensors(network, arrays))
        except (KeyError, ValueError, RuntimeError):  # made by other operators, or of other sizes
            continue
        windows = synthetic_spectrograms(preprocessing, _COMPARED)
        found = verify(outputs_of(folder.read), network_reference(network), windows)
        if found.passed(default_tolerance(config)):
            return arch, units, network.state_dict()
    return None


def _tensors(network: nn.Module, arrays: Arrays) -> dict[str, Tensor]:
    """The tensors of a network; KeyError where the graphs lack what one is made from."""
    tensors = network.state_dict()
    convolution = ""
    for name, module in network.named_modules():
        own: Arrays = {}
        if isinstance(module, nn.LSTM):
            own = _lstm(module, name, arrays)
        elif isinstance(module, nn.BatchNorm2d) and f"{name}.weight" not in arrays:
            folded, low = arrays.get(f"{convolution}.weight.shift"), arrays.get(f"{convolution}.weight.low.bias")
            shift = folded if folded is not None else np.asarray(low)[::4]
            own = {"weight": np.ones_like(shift), "bias": shift, "running_mean": np.zeros_like(shift)}
            own["running_var"] = np.full_like(shift, 1 - module.eps)
        else:
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                convolution = name
            for key, _ in module.named_parameters(recurse=False):
                made = next((end for end in (".low", ".folded") if f"{name}.{key}{end}" in arrays), "")
                array = arrays[f"{name}.{key}{made}"]
                own[key] = full_kernel(array) if made == ".low" else array
        tensors |= {f"{name}.{key}": torch.from_numpy(np.array(array)) for key, array in own.items()}
    return tensors


def _lstm(module: nn.LSTM, name: str, arrays: Arrays) -> Arrays:
    found: Arrays = {}
    for layer in range(module.num_layers):
        weight = arrays.get(f"{name}.weight_{layer}.once")
        weights = arrays[f"{name}.weight_{layer}"] if weight is None else weight[None]
        parts = {"weight_ih": weights, "weight_hh": arrays[f"{name}.recurrence_{layer}"]}
        parts["bias_ih"], parts["bias_hh"] = np.split(arrays[f"{name}.bias_{layer}"], 2, axis=1)
        for part, rows in parts.items():
            for way, gates in zip(("", "_reverse"), rows, strict=False):
                found[f"{part}_l{layer}{way}"] = pytorch_order(torch.from_numpy(gates.copy())).numpy()
    return found


def _has_weights(folder: ModelFolder) -> bool:
    return NETWORK_FILE in folder.config.training and (folder.path / NETWORK_FILE).is_file()


def _arrays(graphs: dict[str, onnx.ModelProto]) -> Arrays:
    """The arrays in graphs, by the names that the network has for them; 8-bit matrices as the rounded numbers."""
    found: Arrays = {}
    for file, graph in graphs.items():
        part = "encoder." if file == "encoder.onnx" else ""
        found |= {part + name: array for name, array in constants(graph).items()}
    for name in [name.removesuffix(CODES) for name in found if name.endswith(CODES)]:
        found[name] = BlockCodes(found[name + CODES], found[name + SCALES]).weights()
    return found


class BatchStatisticsNorm(nn.Module):
    """The training mode of BatchNorm2d: mean and biased variance of the batch itself."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, channels, rows, columns) over all but the channels."""
        centred = x - x.mean(dim=(0, 2, 3), keepdim=True)
        deviation = torch.sqrt(centred.square().mean(dim=(0, 2, 3), keepdim=True) + self.eps)
        return centred / deviation * self.weight[:, None, None] + self.bias[:, None, None]
