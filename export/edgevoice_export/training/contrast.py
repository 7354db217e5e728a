"""Contrast: codes of windows of the same recording should be closer than codes of different recordings.

A low reconstruction error alone does not make a code carry more about who speaks. This term does: the code of each window
of a pair must find the other window of its pair among all windows of the batch. It is InfoNCE (A. van den Oord et al.,
"Representation learning with contrastive predictive coding", arXiv:1807.03748, 2018) over pairs of one source, behind a
projection that is thrown away after training, as T. Chen et al. have it ("A simple framework for contrastive learning of
visual representations", ICML 2020).

It costs no time: half of the windows of a batch are drawn from the recordings of the other half. With too large a weight
the reconstruction gets worse. The default temperature, 0.1, is the best one that Chen et al. report for normalised
projections; no others were compared here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgevoice_export.training.consistency import Pairs

_STILL = 1e-6
"""Added to the variance of numbers that do not vary."""


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
