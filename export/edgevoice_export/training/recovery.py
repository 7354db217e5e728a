"""Weights from the graphs of a model folder, to train on where `network.pt` is missing, as in EdgeVoice's package.

What `onnx.convert` and its rewrites did is undone tensor by tensor: low-resolution kernels become 3x3 kernels again, gates
of LSTMs get PyTorch's order. What a batch norm was folded into keeps it: the norm becomes a shift, and the statistics
that it had are lost, so that it must not learn new ones (`--fixed-norms 1`). The network is then compared with the graphs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevoice.config import ModelConfig
from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.onnx.convert import network_reference
from edgevoice_export.onnx.lstm import pytorch_order
from edgevoice_export.onnx.rewrites.upsampling import full_kernel
from edgevoice_export.publish.verify import default_tolerance, outputs_of, synthetic_spectrograms, verify
from edgevoice_export.training.runs import model_lineage

Arrays = dict[str, NDArray[Any]]

_WINDOWS = 7


def recovered(folder: ModelFolder, arrays: Arrays) -> tuple[str, int, dict[str, Tensor]] | None:
    """Architecture, size and tensors of a network that gives the numbers of a folder's graphs; None if there is none.

    Args:
        folder: a model folder.
        arrays: the constants of its graphs; names of the encoder's begin with `encoder.`, as the network's do.
    """
    config = folder.config
    preprocessing, units = Preprocessing.of(config), config.features.bottleneck
    for arch in _likely(config):
        if units not in ARCHITECTURES[arch].units or ARCHITECTURES[arch].preprocessing.shape != preprocessing.shape:
            continue
        network = ARCHITECTURES[arch].network(units).eval()
        try:
            network.load_state_dict(_tensors(network, arrays))
        except (KeyError, ValueError, RuntimeError):  # made by other operators, or of other sizes
            continue
        windows = synthetic_spectrograms(preprocessing, _WINDOWS)
        found = verify(outputs_of(Networks(folder)), network_reference(network), windows)
        if found.passed(default_tolerance(config)):
            return arch, units, network.state_dict()
    return None


def _likely(config: ModelConfig) -> list[str]:
    """The architectures, the one of the last training run first: two may have tensors of the same names and sizes."""
    own = [run.settings for run in model_lineage(config)[-1:] if run.settings]
    named = own[0].arch if own else ""
    return sorted(ARCHITECTURES, key=lambda arch: arch != named)


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
                own[key] = _parameter(f"{name}.{key}", arrays)
        tensors |= {f"{name}.{key}": torch.from_numpy(np.array(array)) for key, array in own.items()}
    return tensors


def _parameter(name: str, arrays: Arrays) -> NDArray[Any]:
    if f"{name}.low" in arrays:
        return full_kernel(arrays[f"{name}.low"])
    return arrays[f"{name}.folded"] if f"{name}.folded" in arrays else arrays[name]


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
