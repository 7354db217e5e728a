"""The last step after training: numbers of the code get similar sizes, and none is active in rare cases only.

Both steps leave the reconstruction of speech as it was, so they wait until weights are kept. Each costs one pass of the
encoder over 1024 windows: 5 s on one core. They were made for these models; there is no publication behind them.

**Straightening.** A leaky rectifier is straight on both sides of zero, with a smaller slope below. A number of the code that
is below zero for all usual speech hardly moves, until something else, such as the band of a telephone, brings it above
zero: then it moves by hundreds of its standard deviations, and a classifier is misled. Such a number is given the small
slope on both sides, by moving it to the straight part; the decoder's bias takes the move back. Windows that leave the
number below zero are rebuilt as before, the rare ones that used the bend a little less well.

**Scaling.** The reconstruction stays the same when a number of the code is divided by some factor and the decoder multiplies
it by the same factor again, so training leaves the factors to chance. Users want numbers of like size, and rounding to
float32 should be as fine for each. The factors are powers of two, by which floating-point numbers are multiplied exactly:
the reconstruction keeps its bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgevoice_export.data.sampler import WindowSampler
from edgevoice_export.networks import Architecture
from edgevoice_export.training.weights import load_weights

_WINDOWS = 1024
_AT_ONCE = 64  # windows
_RARELY = 0.01
"""A number that is positive in less than this share of the windows is active in rare cases only."""
_MARGIN = 2.0
"""How far a number is moved from the bend of the activation, relative to its largest distance from the bend."""
_DEAD = 1e-6
_LARGE = 6.0
"""The norm of the weights of a number up to which the number may have size 1."""


def settled(architecture: Architecture, weights: dict[str, Tensor], validation: WindowSampler) -> dict[str, Tensor]:
    """Straighten and scale the code of an autoencoder, where the architecture allows it.

    Args:
        architecture: says which weights make the bottleneck, and which take it in.
        weights: as the network's `state_dict` has them.
        validation: windows that are typical of what the network is for.
    """
    if not architecture.code_rows:
        return weights
    spectrograms = torch.from_numpy(validation.spectrograms(validation.grid(architecture.levels[0], _WINDOWS)))
    straight = straightened(architecture, weights, spectrograms)
    network = architecture.network(len(straight[architecture.code_rows[1]]))
    load_weights(network, straight)
    return scale_bottleneck(architecture, straight, bottleneck_sizes(architecture, network, spectrograms))


@torch.no_grad()
def straightened(architecture: Architecture, weights: dict[str, Tensor], spectrograms: Tensor) -> dict[str, Tensor]:
    """Make numbers of the bottleneck linear that are active in rare cases only, where they can be moved.

    Args:
        architecture: says which weights make the bottleneck, and which take it in.
        weights: as the network's `state_dict` has them.
        spectrograms: of windows that are typical of what the network is for, (n, 1, bands, columns).
    """
    if not architecture.code_bias:
        return weights
    row, bias = architecture.code_rows
    (column,) = architecture.code_columns
    network = architecture.network(len(weights[bias]))
    load_weights(network, weights)
    before, after = bottlenecks(architecture, network, spectrograms)
    off = before != after
    slope = (before * after * off).sum(dim=0) / (before.square() * off).sum(dim=0).clamp(min=1e-30)
    straight = torch.isclose(after, slope * before, rtol=1e-3, atol=1e-9)
    moved = (off.float().mean(dim=0) > 1 - _RARELY) & (straight | ~off).all(dim=0)
    slope = torch.where(moved, slope, 1.0)
    shift = torch.where(moved, _MARGIN * (slope * before).abs().amax(dim=0), 0.0)
    new = dict(weights)
    new[row] = weights[row] * slope[:, None]
    new[bias] = weights[bias] * slope + shift
    new[architecture.code_bias] = weights[architecture.code_bias] - weights[column] @ shift
    return new


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
