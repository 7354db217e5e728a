"""What turns gradients into steps, by the name that a run's settings give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from edgevoice.errors import MissingPackageError

# Most gradients of a mean over thousands of points are below 1e-8: with the usual epsilon such weights hardly move.
_EPSILON = 1e-13


def _adamw(groups: list[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""
    return torch.optim.AdamW(groups, lr=rate, eps=_EPSILON)


def _soap(groups: list[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
    """Adam in the eigenbasis of Shampoo's preconditioner (N. Vyas et al., "SOAP", arXiv:2409.11321, 2024).

    Sides of a matrix longer than 256 keep their axes: a basis for the gates of an LSTM too doubled the optimiser's time and
    brought no lower error.
    """
    try:
        from pytorch_optimizer import SOAP
    except ImportError as error:
        raise MissingPackageError("soap needs pytorch-optimizer: pip install 'edgevoice[export]'") from error
    return SOAP(
        groups,
        lr=rate,
        betas=(0.9, 0.999),
        shampoo_beta=0.98,
        precondition_frequency=20,
        max_precondition_dim=256,
        eps=_EPSILON,
    )


OPTIMISERS: dict[str, Callable[[list[dict[str, Any]], float], torch.optim.Optimizer]] = {"adamw": _adamw, "soap": _soap}
"""Factories: groups of parameters, learning rate -> optimiser."""


def optimiser(name: str, network: nn.Module, *, rate: float, decay: float) -> torch.optim.Optimizer:
    """Return an optimiser of a network's parameters; biases and the scales of batch norms are not decayed.

    Raises:
        MissingPackageError: the package that it comes from is not installed.
    """
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return OPTIMISERS[name](groups, rate)
