"""The terms of the loss: the reconstruction error, and a contrast that a run may weight.

Codes of windows of the same recording should be closer than codes of different recordings: a low reconstruction error does
not make a code say more about who speaks. The code of each window of a pair must find the other one among all windows of
the batch. It is InfoNCE (A. van den Oord et al., "Representation learning with contrastive predictive coding",
arXiv:1807.03748, 2018) over pairs of one source, behind a projection that is thrown away after training, as T. Chen et al.
have it ("A simple framework for contrastive learning of visual representations", ICML 2020; their best temperature for
normalised projections, 0.1, is the default, and no others were compared here). With too large a weight the reconstruction
gets worse.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Pairs = NDArray[np.int64] | Tensor
"""Rows of a batch with two windows that belong together: (pairs, 2)."""

_STILL = 1e-6
"""Added to the variance of numbers that do not vary."""
_NEAR_ZERO = 1e-7


def reconstruction_loss(kind: str, reconstruction: Tensor, spectrograms: Tensor) -> Tensor:
    """Mean loss of a reconstruction: `mse` the squared difference, `bce` the binary cross entropy."""
    if kind == "bce":
        # As Keras does: outputs that are not bound to 0..1 have no logarithm there.
        return functional.binary_cross_entropy(reconstruction.clamp(_NEAR_ZERO, 1 - _NEAR_ZERO), spectrograms)
    return functional.mse_loss(reconstruction, spectrograms)


class Contrast(nn.Module):
    """InfoNCE of pairs of codes, in both directions.

    Args:
        units: numbers of a code.
        size: numbers of its projection.
        temperature: divides the cosine of two projections; the smaller, the more the closest wrong ones count.
    """

    def __init__(self, units: int, size: int = 64, temperature: float = 0.1) -> None:
        super().__init__()
        self.projection = nn.Linear(units, size, bias=False)
        self._temperature = temperature

    def forward(self, bottleneck: Tensor, pairs: Pairs) -> Tensor:
        """The mean cross entropy, in nats.

        Args:
            bottleneck: codes of a batch, (n, units).
            pairs: rows of the two windows of each pair, int64 (pairs, 2).
        """
        # The variance is part of the gradient, so that a smaller code is not closer.
        variance, mean = torch.var_mean(bottleneck, dim=0, correction=0)
        standardised = (bottleneck - mean) / (variance + _STILL * variance.mean()).sqrt()
        projected = functional.normalize(self.projection(standardised), dim=1)
        cosines = projected[pairs[:, 0]] @ projected[pairs[:, 1]].T / self._temperature
        own = torch.arange(len(pairs), device=cosines.device)
        return (functional.cross_entropy(cosines, own) + functional.cross_entropy(cosines.T, own)) / 2
