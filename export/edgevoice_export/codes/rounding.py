"""Weights rounded to numbers that float16 holds, so that a model folder can keep them in half the bytes.

Most weights of an autoencoder are in the large matrices around its code and in its LSTMs. Rounding moves each weight by at
most one part in 2048, and the code by about 0.1 % of its spread. It is done before a network is verified and measured:
the figures of a model are those of the rounded weights. Kernels of convolutions stay as they are, for the scales of the
batch norms are multiplied into them later.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgevoice_export.onnx.halves import SMALLEST

_LARGEST_CHANGE = 2.0**-10
"""Change of a matrix relative to its size (both as root mean squares) above which it stays as it is: float16 has neither
very large nor very small numbers."""


def rounded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Round the large matrices among the tensors of a `state_dict`; the others are returned as they are."""
    return {name: _rounded(tensor) for name, tensor in tensors.items()}


def _rounded(tensor: Tensor) -> Tensor:
    if tensor.dim() != 2 or tensor.dtype != torch.float32 or tensor.numel() < SMALLEST:
        return tensor
    half = tensor.half().float()
    change = (half - tensor).norm() / tensor.norm()
    return half if change <= _LARGEST_CHANGE else tensor
