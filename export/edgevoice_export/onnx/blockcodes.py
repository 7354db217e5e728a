"""A matrix in 8 bits per weight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 64
"""Weights of a row that share a scale. It is the largest of 32, 64 and 128 with which ONNX Runtime 1.31 gave a window
the same bits in every batch."""

_ZERO = 128
"""The code of 0, which is what ONNX's MatMulNBits takes where nothing else is said."""


class BlockCodes(NamedTuple):
    """Codes of 8 bits, and a scale for every block of 64 weights of a row: weight = (code - 128) scale."""

    codes: NDArray[np.uint8]
    """(rows, blocks, 64), from 1 to 255"""
    scales: NDArray[np.float32]
    """(rows, blocks): the largest weight of the block is 127 of them."""

    @classmethod
    def of(cls, weights: NDArray[np.float32]) -> BlockCodes:
        """Round weights (rows, columns), columns a multiple of 64: each by half a scale at most."""
        blocks = weights.reshape(len(weights), -1, BLOCK)
        scales = (np.abs(blocks).max(axis=2) / 127).astype(np.float32)
        scales[scales == 0] = 1
        rounded = np.clip(np.rint(blocks / scales[:, :, None]), -127, 127)
        return cls((rounded + _ZERO).astype(np.uint8), scales)

    def weights(self) -> NDArray[np.float32]:
        """The rounded weights, float32 (rows, columns)."""
        return ((self.codes.astype(np.float32) - _ZERO) * self.scales[:, :, None]).reshape(len(self.codes), -1)
