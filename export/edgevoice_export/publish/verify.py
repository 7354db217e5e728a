"""PyTorch against ONNX Runtime, on real windows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.onnx.convert import DecoderWithError

BATCHES = (1, 2, 7)
TOLERANCE = 1e-5

Images = NDArray[np.float32]
Outputs = dict[str, NDArray[np.floating]]
Reference = Callable[[Images], Outputs]


@dataclass(frozen=True)
class Verification:
    """How a model folder compares with its reference."""

    differences: dict[str, float]
    """Largest absolute difference of each output, over all windows and batch sizes."""
    windows: int

    @property
    def batches(self) -> str:
        """The batch sizes that were run, in words."""
        *smaller, all_at_once = map(str, _batches(self.windows))
        return f"{', '.join(smaller)} and {all_at_once}" if smaller else all_at_once

    @property
    def difference(self) -> float:
        """The largest of all; NaN where an output was not a number."""
        return float(np.max(list(self.differences.values())))

    def passed(self, tolerance: float = TOLERANCE) -> bool:
        """Whether no difference is larger."""
        return self.difference <= tolerance


def network_reference(network: nn.Module) -> Reference:
    """The outputs of a network as it stands, in float64."""
    network = copy.deepcopy(network).double()
    encoder, decoder = network.get_submodule("encoder"), DecoderWithError(network.get_submodule("decoder"))

    @torch.inference_mode()
    def reference(spectrograms: Images) -> Outputs:
        x = torch.from_numpy(spectrograms).double()
        bottleneck = encoder(x)
        error, reconstruction = decoder(bottleneck, x)
        return _named(bottleneck, error, reconstruction)

    return reference


def folder_outputs(networks: Networks, spectrograms: Images) -> Outputs:
    """The outputs of a model folder in ONNX Runtime; those of the decoder for the bottleneck of the folder's encoder."""
    bottleneck = networks.encode(spectrograms)
    error = networks.error(bottleneck, spectrograms)
    return {
        "bottleneck": bottleneck,
        "error": error,
        "reconstruction": networks.reconstruct(bottleneck, spectrograms),
    }


def verify(folder: ModelFolder, reference: Reference, spectrograms: Images) -> Verification:
    """Run a model folder at several batch sizes, 1 and all windows at once among them, and compare.

    Args:
        folder: its files' digests are checked too.
        reference: what the outputs should be.
        spectrograms: float32 (n, 1, bands, columns), n at least 1.

    Raises:
        ModelError, DeviceError: the folder cannot be loaded or run.
    """
    folder.verify()
    networks = Networks(folder, whole_batches=True)
    apart = not folder.config.batch_statistics
    differences = dict.fromkeys(("bottleneck", "error", "reconstruction"), 0.0)
    expected = reference(spectrograms) if apart else {}
    for batch in _batches(len(spectrograms)):
        parts = [spectrograms[first : first + batch] for first in range(0, len(spectrograms), batch)]
        runs = [folder_outputs(networks, part) for part in parts]
        if apart:
            joined = {name: np.concatenate([run[name] for run in runs]) for name in differences}
            pairs = [(joined, expected)]
        else:
            pairs = [(run, reference(part)) for run, part in zip(runs, parts, strict=True)]
        for found, wanted in pairs:
            for name, worst in differences.items():
                differences[name] = float(np.maximum(worst, np.abs(found[name] - wanted[name]).max()))
    return Verification(differences, len(spectrograms))


def _batches(windows: int) -> tuple[int, ...]:
    return (*(batch for batch in BATCHES if batch < windows), windows)


def _named(*outputs: torch.Tensor) -> Outputs:
    return {name: output.numpy() for name, output in zip(("bottleneck", "error", "reconstruction"), outputs, strict=True)}
