"""Compares networks in ONNX Runtime with the expected outputs, on real windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice.errors import ModelError
from edgevoice.inference import Networks
from edgevoice_export.publish.graphs import Graphs

BATCHES = (1, 2, 7)
TOLERANCE = 1e-5

Images = NDArray[np.float32]
Outputs = dict[str, NDArray[np.floating]]
Compute = Callable[[Images], Outputs]
"""Computes bottleneck, error and reconstruction, by name, from spectrograms, float32 (n, 1, bands, columns)."""


class VerificationError(ModelError):
    """A model folder would not give the outputs of its source, so it was not written."""

    exit_code = 1


@dataclass(frozen=True)
class Verification:
    """The result of a comparison of networks with their reference."""

    differences: dict[str, float]
    """Largest absolute difference of each output, over all windows and batch sizes."""
    windows: int

    @property
    def batches(self) -> str:
        """The batch sizes, in words."""
        *smaller, all_at_once = map(str, _batches(self.windows))
        return f"{', '.join(smaller)} and {all_at_once}" if smaller else all_at_once

    @property
    def difference(self) -> float:
        """The largest of all differences; NaN where an output was not a number."""
        return float(np.max(list(self.differences.values())))

    def passed(self, tolerance: float = TOLERANCE) -> bool:
        """Whether all differences are within the tolerance."""
        return self.difference <= tolerance

    def require(self, name: str, tolerance: float) -> None:
        """Raise VerificationError where a difference is above the tolerance; the message names the model."""
        if not self.passed(tolerance):
            found = ", ".join(f"{output} {value:.1e}" for output, value in self.differences.items())
            raise VerificationError(f"{name}: PyTorch and ONNX Runtime differ by more than {tolerance:g}: {found}")


def outputs_of(networks: Networks | Graphs) -> Compute:
    """A function that computes the outputs of networks; the decoder gets the bottleneck from the encoder."""

    def compute(spectrograms: Images) -> Outputs:
        bottleneck = networks.encode(spectrograms)
        return {
            "bottleneck": bottleneck,
            "error": networks.error(bottleneck, spectrograms),
            "reconstruction": networks.reconstruct(bottleneck, spectrograms),
        }

    return compute


def verify(compute: Compute, reference: Compute, spectrograms: Images, *, together: bool = False) -> Verification:
    """Compute windows in batches of several sizes, from single windows to all of them, and compare.

    Args:
        compute: what is verified.
        reference: what the outputs should be.
        spectrograms: float32 (n, 1, bands, columns), n at least 1.
        together: whether the outputs of a window depend on the others of its batch, in the reference too.

    Raises:
        DeviceError: the networks cannot be run.
    """
    differences = dict.fromkeys(("bottleneck", "error", "reconstruction"), 0.0)
    expected = None if together else reference(spectrograms)
    for batch in _batches(len(spectrograms)):
        for first in range(0, len(spectrograms), batch):
            part = slice(first, first + batch)
            found = compute(spectrograms[part])
            wanted = reference(spectrograms[part]) if expected is None else {k: v[part] for k, v in expected.items()}
            for name, worst in differences.items():
                differences[name] = float(np.maximum(worst, np.abs(found[name] - wanted[name]).max()))
    return Verification(differences, len(spectrograms))


def default_tolerance(config: ModelConfig) -> float:
    """Largest difference allowed between a model folder in ONNX Runtime and its weights in PyTorch.

    With 8-bit weights that is the rounding of what goes into their products: twice the drift that was found.
    """
    if "compact" not in config.origin:
        return TOLERANCE
    return 2 * float(max(drift["largest"] for drift in config.origin["compact"]["drift"].values()))


def _batches(windows: int) -> tuple[int, ...]:
    return (*(batch for batch in BATCHES if batch < windows), windows)
