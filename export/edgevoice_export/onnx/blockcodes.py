"""A matrix in 8 bits per weight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 64
"""The number of weights of a row that share a scale."""

_ZERO = 128
"""The code of the value 0, which is the default of ONNX's MatMulNBits."""


class BlockCodes(NamedTuple):
    """Codes of 8 bits, and a scale for every block of 64 weights of a row: weight = (code - 128) scale."""

    codes: NDArray[np.uint8]
    """Codes (rows, blocks, 64), from 1 to 255."""
    scales: NDArray[np.float32]
    """Scales (rows, blocks): the largest weight of a block is 127 of them."""

    @classmethod
    def of(cls, weights: NDArray[np.float32]) -> BlockCodes:
        """Round weights (rows, columns), with columns a multiple of 64: each changes by at most half a scale."""
        blocks = weights.reshape(len(weights), -1, BLOCK)
        scales = (np.abs(blocks).max(axis=2) / 127).astype(np.float32)
        scales[scales == 0] = 1
        rounded = np.clip(np.rint(blocks / scales[:, :, None]), -127, 127)
        return cls((rounded + _ZERO).astype(np.uint8), scales)

    def weights(self) -> NDArray[np.float32]:
        """The rounded weights, float32 (rows, columns)."""
        return ((self.codes.astype(np.float32) - _ZERO) * self.scales[:, :, None]).reshape(len(self.codes), -1)
