"""The scale of a bottleneck, which reconstruction leaves free, settled: every number has a deviation near 1.

Users get numbers of like size, and float32 rounding stays where it is small. The factors are powers of two, so the
reconstruction has the same bits as before.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgevoice_export.networks import Architecture

_DEAD = 1e-6


def scale_bottleneck(architecture: Architecture, weights: dict[str, Tensor], deviations: Tensor) -> dict[str, Tensor]:
    """Weights of the same autoencoder whose bottleneck is divided by powers of two near the deviations.

    Args:
        architecture: says which weights make the bottleneck, and which take it in.
        weights: as the network's `state_dict` has them.
        deviations: standard deviation of each number of the bottleneck, (units,).
    """
    factors = torch.exp2(torch.log2(deviations.clamp(min=_DEAD)).round())
    factors[deviations < _DEAD] = 1.0  # a number that never changes has no scale
    scaled = dict(weights)
    for name in architecture.code_rows:
        tensor = weights[name]
        scaled[name] = tensor / factors.reshape(-1, *[1] * (tensor.ndim - 1))
    for name in architecture.code_columns:
        scaled[name] = weights[name] * factors
    return scaled


@torch.no_grad()
def bottleneck_deviations(network: nn.Module, spectrograms: Tensor) -> Tensor:
    """Standard deviation of each number of the bottleneck over windows (n, 1, bands, columns): (units,)."""
    deviations: Tensor = network.eval().get_submodule("encoder")(spectrograms).std(dim=0, correction=0).cpu()
    return deviations
