"""Batch norms that use the statistics of the current batch, as DisVoice's published features do."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BatchStatisticsNorm(nn.Module):
    """The training mode of BatchNorm2d: mean and biased variance of the batch itself."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, channels, rows, columns) over all but the channels."""
        centred = x - x.mean(dim=(0, 2, 3), keepdim=True)
        deviation = torch.sqrt(centred.square().mean(dim=(0, 2, 3), keepdim=True) + self.eps)
        return centred / deviation * self.weight[:, None, None] + self.bias[:, None, None]


def use_batch_statistics(network: nn.Module) -> nn.Module:
    """Replace every BatchNorm2d of a network, in place."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, BatchStatisticsNorm(child))
        else:
            use_batch_statistics(child)
    return network
