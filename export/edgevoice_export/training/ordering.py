"""Ordered codes: the first numbers of a code are a code of their own.

In training, the codes of some windows are cut at random: the decoder gets their first numbers, and zeros for the others. So
what matters most moves to the front (O. Rippel et al., "Learning ordered representations with nested dropout",
arXiv:1402.0915, 2014; A. Kusupati et al., "Matryoshka representation learning", NeurIPS 2022).

The cut costs no time. It takes some of the network's capacity from the whole code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FEWEST = 8
"""Numbers that are never cut."""


def cut_codes(network: nn.Module, share: float) -> None:
    """Cut a share of the codes that the decoder of a network gets in training; the network returns them whole.

    The numbers that are left are drawn from `FEWEST` to all of them, each doubling as often as another. PyTorch's generator
    draws.
    """

    def cut(decoder: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        (code,) = inputs
        count, units = code.shape
        if not decoder.training or units <= FEWEST:
            return None
        draw = torch.rand(2, count, 1, device=code.device)
        left = torch.where(draw[0] < share, FEWEST * torch.exp(draw[1] * math.log(units / FEWEST)), units)
        return (code * (torch.arange(units, device=code.device) < left.round()),)

    network.get_submodule("decoder").register_forward_pre_hook(cut)
