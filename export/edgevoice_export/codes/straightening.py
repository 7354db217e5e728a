"""Straightening: numbers of a code that the activation almost never lets through become linear.

A leaky rectifier is straight on both sides of zero, with a smaller slope below. A number of the code that is below zero
for all usual speech hardly moves, until something else, such as the band of a telephone, brings it above zero: then it
moves by hundreds of its standard deviations, and a classifier is misled. Such a number is given the small slope on both
sides, by moving it to the straight part; the decoder's bias takes the move back. Windows that leave the number below zero
are rebuilt as before. The method was made for these models; there is no publication behind it.

It costs one pass of the encoder (5 s for 1024 windows, on one core), and the rare windows that used the bend are rebuilt
a little less well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgevoice_export.codes.scaling import bottlenecks
from edgevoice_export.networks import Architecture
from edgevoice_export.training.weights import load_weights

_RARELY = 0.01
"""A number that is positive in less than this share of the windows is active in rare cases only."""
_MARGIN = 2.0
"""How far a number is moved from the bend of the activation, relative to its largest distance from the bend."""


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
