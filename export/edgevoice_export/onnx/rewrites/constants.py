"""Operators on constants are computed once, here, and what nothing uses is removed."""

from __future__ import annotations

import onnx_ir as ir
from onnxscript import optimizer

_ANY_SIZE = 1 << 40  # the LSTM's weights come out of the exporter as slices of larger ones


def fold_constants(model: ir.Model) -> None:
    """Replace what depends on constants alone by its value."""
    optimizer.fold_constants(model, input_size_limit=_ANY_SIZE, output_size_limit=_ANY_SIZE)
    optimizer.remove_unused_nodes(model)
