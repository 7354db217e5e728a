"""Nearest-neighbour upsampling by 2 and a 3x3 transposed convolution, as one 2x2 convolution of the small image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def convolve_upsampled(x: Tensor, kernel: Tensor, padding: tuple[int, ...]) -> Tensor:
    """Compute `conv_transpose2d(interpolate(x, scale_factor=2.0), kernel, padding=padding)` with 4 taps instead of 9.

    Two of three neighbours in the doubled image are the same pixel of the small one, so their taps add up. Each pixel of a
    2x2 block has its own sums; the four are computed as channels, then interleaved.

    Args:
        x: (n, inputs, rows, columns).
        kernel: (inputs, outputs, 3, 3), of stride 1.
        padding: of rows and columns, 0 or 1 each; with 0 the image has one pixel more on either side.

    Returns:
        (n, outputs, 2 rows + 2 - 2 padding, 2 columns + 2 - 2 padding).
    """
    taps = _folded(kernel.flip(2, 3).transpose(0, 1))  # (outputs, inputs, 3, blocks, 2)
    taps = _folded(taps.movedim(2, -1))  # (outputs, inputs, column in block, 2, row in block, 2)
    blocks = taps.permute(0, 4, 2, 1, 5, 3).flatten(0, 2)
    image = functional.pixel_shuffle(functional.conv2d(x, blocks, padding=1), 2)
    rows, columns = padding
    return image[:, :, rows : image.shape[2] - rows, columns : image.shape[3] - columns]


def _folded(taps: Tensor) -> Tensor:
    """Three taps on the last axis as (place in the block, 2 taps); the block is shifted by one pixel against the image."""
    first, second, third = taps.unbind(-1)
    odd, even = torch.stack([first + second, third], -1), torch.stack([first, second + third], -1)
    return torch.stack([odd, even], -2)
