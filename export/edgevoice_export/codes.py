"""What is done to a trained code: it is narrowed, straightened, scaled.

The functions take an architecture, which says what weights make the code and take it in, weights as the network's
`state_dict` has them, and spectrograms of windows that are typical of what the network is for, (n, 1, bands, columns). They
return new weights.

**Narrowing** makes the starting point for training a smaller autoencoder, which learns faster from a larger one's weights
than from random ones. The decoder begins with a matrix C, so of the old code z it sees C z only. The new code keeps the
directions of C z that are largest in the mean square. These are principal components of what the decoder takes in (C. Eckart
and G. Young, "The approximation of one matrix by another of lower rank", Psychometrika 1, 1936), and the layers around the
code go on with nearly what they had. An ordered code needs none of it: its first numbers are the smaller code.

**Straightening** and **scaling** are the last step after training, made for these models. A leaky rectifier is straight on
both sides of zero, with a smaller slope below. A number of the code that is below zero for all usual speech hardly moves,
until something else, such as the band of a telephone, brings it above zero: then it moves by hundreds of its standard
deviations, and a classifier is misled. Such a number is given the small slope on both sides, by moving it to the straight
part; the decoder's bias takes the move back. Windows that leave the number below zero are rebuilt as before, the rare ones
that used the bend a little less well. And training leaves the sizes of numbers to chance, where users want like sizes, and
rounding to float32 should be as fine for each: they are divided by powers of two, so that the reconstruction keeps its bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgevoice.errors import ArgumentError
from edgevoice_export.data.sampler import WindowSampler
from edgevoice_export.networks import Architecture
from edgevoice_export.training.weights import load_weights

WINDOWS_A_UNIT = 16
"""Windows that narrowing needs for each number of the old code."""
_FAINT = 0.03
"""A direction is faint below this share of the strongest direction's amplitude."""
_RIDGE = 1e-6
"""Ridge of the fit before the activation, relative to the mean power there."""
_LEAST = 1e-12
"""Directions of the old code with less than this share of its power are ignored."""
_WINDOWS, _AT_ONCE = 1024, 64
_RARELY = 0.01
"""A number that is positive in less than this share of the windows is active in rare cases only."""
_MARGIN = 2.0
"""How far a number is moved from the bend of the activation, relative to its largest distance from the bend."""
_DEAD = 1e-6
_LARGE = 6.0
"""The norm of the weights of a number up to which the number may have size 1."""

Tensors = dict[str, Tensor]


def cut(architecture: Architecture, weights: Tensors, units: int) -> Tensors:
    """The weights of the first units of an ordered code."""
    rows = {name: weights[name][:units].clone() for name in architecture.code_rows}
    return weights | rows | {name: weights[name][:, :units].clone() for name in architecture.code_columns}


@torch.no_grad()
def narrowed(architecture: Architecture, weights: Tensors, units: int, spectrograms: Tensor) -> Tensors:
    """Compute weights of the same architecture with fewer units, from `WINDOWS_A_UNIT` windows for each unit or more.

    Raises:
        ArgumentError: the architecture's code cannot be narrowed, the weights have no more units, or too few windows.
    """
    if not architecture.code_rows:
        raise ArgumentError("the bottleneck of this architecture cannot be narrowed: begin with weights of as many units")
    row, bias = architecture.code_rows
    (column,) = architecture.code_columns
    wide = len(weights[bias])
    if units >= wide:
        raise ArgumentError(f"initial weights of {wide} units cannot begin a network of {units}: only of fewer")
    if len(spectrograms) < WINDOWS_A_UNIT * wide:
        raise ArgumentError(f"{len(spectrograms)} windows are too few to narrow a bottleneck of {wide} units")
    network = architecture.network(wide)
    load_weights(network, weights)
    before, after = (part.double() for part in bottlenecks(architecture, network, spectrograms))

    columns = weights[column].double()
    power = after.T @ after / len(after)
    sizes, axes = torch.linalg.eigh(power)
    root = sizes.clamp(min=_LEAST * sizes[-1]).sqrt()
    left, strength, right = torch.linalg.svd(columns @ (axes * root), full_matrices=False)
    # Each new number gets a mean square of 1, except directions that the decoder hardly uses: those stay small, since
    # enlarging a very small number takes huge weights.
    share = (strength[:units] / (_FAINT * strength[0])).clamp(max=1)
    kept = share[:, None] * right[:units] @ (axes / root).T  # (units, wide): the new bottleneck is kept @ z

    # Before its activation the old bottleneck is linear in what the encoder sees, and so must be the new one.
    target = after @ kept.T
    known = torch.cat([before, torch.ones(len(before), 1, dtype=before.dtype)], dim=1)
    normal = known.T @ known
    ridge = _RIDGE * normal.diagonal().mean() * torch.eye(len(normal), dtype=normal.dtype)
    fit = torch.linalg.solve(normal + ridge, known.T @ target)
    matrix, constant = fit[:-1].T, fit[-1]
    # The activation would bend the new numbers at another place: they are moved to where it is straight.
    straight = bool((before < 0).any()) and torch.allclose(before, after)
    shift = torch.zeros(units, dtype=before.dtype) if straight else (-target.amin(dim=0)).clamp(min=0) + target.std(dim=0)
    new_columns = left[:, :units] * (strength[:units] / share)
    return weights | {
        row: (matrix @ weights[row].double()).float(),
        bias: (matrix @ weights[bias].double() + constant + shift).float(),
        column: new_columns.float(),
        architecture.code_bias: (weights[architecture.code_bias].double() - new_columns @ shift).float(),
    }


def settled(architecture: Architecture, weights: Tensors, validation: WindowSampler) -> Tensors:
    """Straighten and scale the code of an autoencoder, where the architecture allows it."""
    if not architecture.code_rows:
        return weights
    spectrograms = torch.from_numpy(validation.spectrograms(validation.grid(architecture.levels[0], _WINDOWS)))
    straight = straightened(architecture, weights, spectrograms)
    network = architecture.network(len(straight[architecture.code_rows[1]]))
    load_weights(network, straight)
    return scale_bottleneck(architecture, straight, bottleneck_sizes(architecture, network, spectrograms))


@torch.no_grad()
def straightened(architecture: Architecture, weights: Tensors, spectrograms: Tensor) -> Tensors:
    """Make numbers of the code linear that are active in rare cases only, where they can be moved."""
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
    return weights | {
        row: weights[row] * slope[:, None],
        bias: weights[bias] * slope + shift,
        architecture.code_bias: weights[architecture.code_bias] - weights[column] @ shift,
    }


def scale_bottleneck(architecture: Architecture, weights: Tensors, sizes: Tensor) -> Tensors:
    """Divide the code by powers of two near the sizes of its numbers: root mean squares, (units,)."""
    factors = torch.exp2(torch.log2(sizes.clamp(min=_DEAD)).round())
    factors[sizes < _DEAD] = 1.0  # a number that is always 0 has no size
    rows = {name: weights[name] / factors.reshape(-1, *[1] * (weights[name].ndim - 1)) for name in architecture.code_rows}
    return weights | rows | {name: weights[name] * factors for name in architecture.code_columns}


@torch.no_grad()
def bottlenecks(architecture: Architecture, network: nn.Module, spectrograms: Tensor) -> tuple[Tensor, Tensor]:
    """The code of windows before and after its activation: (n, units) each."""
    linear: list[Tensor] = []
    layer = network.get_submodule(architecture.code_rows[0].rpartition(".")[0])
    handle = layer.register_forward_hook(lambda _module, _inputs, output: linear.append(output))
    encoder = network.eval().get_submodule("encoder")
    bottleneck = torch.cat([encoder(part) for part in torch.split(spectrograms, _AT_ONCE)])
    handle.remove()
    return torch.cat(linear), bottleneck


def bottleneck_sizes(architecture: Architecture, network: nn.Module, spectrograms: Tensor) -> Tensor:
    """The divisor of each number of the code, (units,).

    The size is the root mean square before the activation, including the mean, because the rounding of float32 is relative
    to it. A number that is a small difference of large ones is rounded like those, so its size is at least a share of the
    size of its weights.
    """
    before, _ = bottlenecks(architecture, network, spectrograms)
    rows = network.state_dict()[architecture.code_rows[0]]
    return torch.maximum(before.square().mean(dim=0).sqrt(), rows.norm(dim=1) / _LARGE).cpu()
