"""Scaling: give all numbers of a code a size near 1.

An autoencoder's reconstruction stays the same when a number of its code is divided by some factor and the decoder
multiplies it by the same factor again, so training leaves the factors to chance. Users want numbers of like size, and
rounding to float32 should be as fine for each. The factors are powers of two, by which floating-point numbers are
multiplied exactly: the reconstruction keeps its bits. This uses no more than the symmetry itself; there is no publication
behind it.

It costs one pass of the encoder over the windows that sizes are measured on: 5 s for 1024 of them, on one core.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgevoice_export.networks import Architecture

_DEAD = 1e-6
_AT_ONCE = 64  # windows
_LARGE = 6.0
"""The norm of the weights of a number up to which the number may have size 1."""


def scale_bottleneck(architecture: Architecture, weights: dict[str, Tensor], sizes: Tensor) -> dict[str, Tensor]:
    """Divide the bottleneck of an autoencoder by powers of two near the sizes of its numbers.

    Args:
        architecture: says which weights make the bottleneck, and which take it in.
        weights: as the network's `state_dict` has them.
        sizes: root mean square of each number of the bottleneck, (units,).
    """
    factors = torch.exp2(torch.log2(sizes.clamp(min=_DEAD)).round())
    factors[sizes < _DEAD] = 1.0  # a number that is always 0 has no size
    scaled = dict(weights)
    for name in architecture.code_rows:
        tensor = weights[name]
        scaled[name] = tensor / factors.reshape(-1, *[1] * (tensor.ndim - 1))
    for name in architecture.code_columns:
        scaled[name] = weights[name] * factors
    return scaled


@torch.no_grad()
def bottlenecks(architecture: Architecture, network: nn.Module, spectrograms: Tensor) -> tuple[Tensor, Tensor]:
    """The bottleneck of windows (n, 1, bands, columns) before and after its activation: (n, units) each."""
    linear: list[Tensor] = []
    layer = network.get_submodule(architecture.code_rows[0].rpartition(".")[0])
    handle = layer.register_forward_hook(lambda _module, _inputs, output: linear.append(output))
    encoder = network.eval().get_submodule("encoder")
    bottleneck = torch.cat([encoder(part) for part in torch.split(spectrograms, _AT_ONCE)])
    handle.remove()
    return torch.cat(linear), bottleneck


def bottleneck_sizes(architecture: Architecture, network: nn.Module, spectrograms: Tensor) -> Tensor:
    """The divisor of each number of the bottleneck, from windows (n, 1, bands, columns): (units,).

    The size is the root mean square before the activation, including the mean, because the rounding of float32 is relative
    to it. A number that is a small difference of large ones is rounded like those, so its size is at least a share of the
    size of its weights.
    """
    before, _ = bottlenecks(architecture, network, spectrograms)
    rows = network.state_dict()[architecture.code_rows[0]]
    return torch.maximum(before.square().mean(dim=0).sqrt(), rows.norm(dim=1) / _LARGE).cpu()
