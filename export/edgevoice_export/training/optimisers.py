"""The optimisers, by the names in the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from edgevoice.errors import missing

# Most gradients of a mean over thousands of points are below 1e-8: with the usual epsilon such weights hardly move.
_EPSILON = 1e-13


_PROJECTION = 4.0
"""Learning rate of the projection for contrast, relative to the network's: it begins with random weights."""


def _adamw(groups: list[dict[str, Any]], rate: float, graph: bool) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""
    if not graph:
        return torch.optim.AdamW(groups, lr=rate, eps=_EPSILON)
    device = groups[0]["params"][0].device
    groups = [{**group, "lr": torch.tensor(rate, device=device)} for group in groups]
    return torch.optim.AdamW(groups, lr=rate, eps=_EPSILON, capturable=True, fused=True)


def _soap(groups: list[dict[str, Any]], rate: float, graph: bool) -> torch.optim.Optimizer:  # noqa: ARG001
    """Adam in the eigenbasis of Shampoo's preconditioner (N. Vyas et al., "SOAP", arXiv:2409.11321, 2024).

    Sides of a matrix longer than 256 keep their axes: a basis for the gates of an LSTM too doubled the optimiser's time and
    brought no lower error.
    """
    try:
        from pytorch_optimizer import SOAP
    except ImportError as error:
        raise missing("pytorch-optimizer", "soap") from error
    return SOAP(
        groups,
        lr=rate,
        betas=(0.9, 0.999),
        shampoo_beta=0.98,
        precondition_frequency=20,
        max_precondition_dim=256,
        eps=_EPSILON,
    )


Factory = Callable[[list[dict[str, Any]], float, bool], torch.optim.Optimizer]

OPTIMISERS: dict[str, Factory] = {"adamw": _adamw, "soap": _soap}
"""Factories: from groups of parameters, a learning rate and whether the steps are part of a CUDA graph to an optimiser."""


def optimiser(
    name: str,
    network: nn.Module,
    contrast: nn.Module | None = None,
    *,
    rate: float,
    decay: float,
    graph: bool = False,
) -> torch.optim.Optimizer:
    """Make the optimiser for the parameters of a network. Biases and scales of batch norms are not decayed.

    Args:
        name: one of `OPTIMISERS`.
        network: the network.
        contrast: the projection that is trained along.
        rate: learning rate; each group of parameters has a `scale` that it is multiplied by.
        decay: weight decay of matrices and kernels.
        graph: whether its steps are part of a CUDA graph.

    Raises:
        MissingPackageError: the package that it comes from is not installed.
    """
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": decay, "scale": 1.0},
        {"params": others, "weight_decay": 0.0, "scale": 1.0},
    ]
    if contrast is not None:
        groups.append({"params": list(contrast.parameters()), "weight_decay": decay, "scale": _PROJECTION})
    return OPTIMISERS[name](groups, rate, graph)
