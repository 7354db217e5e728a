"""Narrowing: fewer numbers in the code of a trained autoencoder, as the starting point for training a smaller one.

A smaller autoencoder learns faster from a larger one's weights than from random ones, but its code has to be chosen. The
decoder begins with a matrix C, so of the old code z it sees C z only. The new code keeps the directions of C z that are
largest in the mean square over some training windows. These are principal components of what the decoder takes in (C.
Eckart and G. Young, "The approximation of one matrix by another of lower rank", Psychometrika 1, 1936), and the layers
around the code go on with nearly what they had.

It costs one pass of the encoder over 16 windows for each number of the old code: 25 s from 256 numbers, on one core. An
ordered code needs none of it: its first numbers are the smaller code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgevoice.errors import ArgumentError
from edgevoice_export.codes.settling import bottlenecks
from edgevoice_export.networks import Architecture
from edgevoice_export.training.weights import load_weights

WINDOWS_A_UNIT = 16
"""Windows that are needed for each number of the old bottleneck."""
_FAINT = 0.03
"""A direction is faint below this share of the strongest direction's amplitude."""
_RIDGE = 1e-6
"""Ridge of the fit before the activation, relative to the mean power there."""
_LEAST = 1e-12
"""Directions of the old bottleneck with less than this share of its power are ignored."""


def cut(architecture: Architecture, weights: dict[str, Tensor], units: int) -> dict[str, Tensor]:
    """The weights of the first units of an ordered bottleneck."""
    new = dict(weights)
    for name in architecture.code_rows:
        new[name] = weights[name][:units].clone()
    for name in architecture.code_columns:
        new[name] = weights[name][:, :units].clone()
    return new


@torch.no_grad()
def narrowed(architecture: Architecture, weights: dict[str, Tensor], units: int, spectrograms: Tensor) -> dict[str, Tensor]:
    """Compute weights of the same architecture with fewer units.

    Args:
        architecture: says which weights make the bottleneck, and which take it in.
        weights: as the wider network's `state_dict` has them.
        units: below those of the weights.
        spectrograms: of training windows, (n, 1, bands, columns): at least `WINDOWS_A_UNIT` for each unit of the weights.

    Raises:
        ArgumentError: the architecture's bottleneck cannot be narrowed, the weights have no more units, or the windows are
            too few.
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
    new = dict(weights)
    new_columns = left[:, :units] * (strength[:units] / share)
    new[row] = (matrix @ weights[row].double()).float()
    new[bias] = (matrix @ weights[bias].double() + constant + shift).float()
    new[column] = new_columns.float()
    new[architecture.code_bias] = (weights[architecture.code_bias].double() - new_columns @ shift).float()
    return new
