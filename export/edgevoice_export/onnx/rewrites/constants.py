"""Computes operators on constants once, and removes what nothing uses."""

from __future__ import annotations

import onnx_ir as ir
from onnxscript import optimizer

_ANY_SIZE = 1 << 40  # the exporter writes the weights of an LSTM as slices of larger arrays


def fold_constants(model: ir.Model) -> None:
    """Replace every value that depends on constants only by a constant."""
    optimizer.fold_constants(model, input_size_limit=_ANY_SIZE, output_size_limit=_ANY_SIZE)
    optimizer.remove_unused_nodes(model)
