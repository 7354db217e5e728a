"""The optimisers, by the names in the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from edgevoice.errors import missing

# Most gradients of a mean over thousands of points are below 1e-8: with the usual epsilon such weights hardly move.
_EPSILON = 1e-13
_PROJECTION = 4.0  # rate of the projection for contrast, relative to the network's: it begins with random weights


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
    often = 20  # steps from one basis to the next
    betas = (0.9, 0.999)
    return SOAP(groups, rate, betas, shampoo_beta=0.98, precondition_frequency=often, max_precondition_dim=256, eps=_EPSILON)


OPTIMISERS: dict[str, Callable[[list[dict[str, Any]], float, bool], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "soap": _soap,
}
"""Factories: from groups of parameters, a learning rate and whether the steps are part of a CUDA graph to an optimiser."""


def optimiser(
    name: str, network: nn.Module, contrast: nn.Module | None = None, *, rate: float, decay: float, graph: bool = False
) -> torch.optim.Optimizer:
    """Make the optimiser for the parameters of a network. Biases and scales of batch norms are not decayed.

    The projection of a contrast is trained along. Each group of parameters has a `scale` that the rate is multiplied by.
    `graph`: whether the steps are part of a CUDA graph.
    """
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    parts = [(matrices, decay, 1.0), (others, 0.0, 1.0)]
    if contrast is not None:
        parts.append((list(contrast.parameters()), decay, _PROJECTION))
    groups: list[dict[str, Any]] = [{"params": own, "weight_decay": each, "scale": scale} for own, each, scale in parts]
    return OPTIMISERS[name](groups, rate, graph)
