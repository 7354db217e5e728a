"""Exact rewrites of exported graphs, one per file: the same function in fewer or cheaper operators.

Each is a function that changes a graph in place where its pattern is found, and leaves it as it is elsewhere. They look at
operators and weights only, so they serve any architecture.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from edgevoice_export.onnx.rewrites.activation import activate_before_moving
from edgevoice_export.onnx.rewrites.batchnorm import fold_batch_norms
from edgevoice_export.onnx.rewrites.graph import fold_constants
from edgevoice_export.onnx.rewrites.interleaving import interleave_by_transposing
from edgevoice_export.onnx.rewrites.repetition import project_repeated_once
from edgevoice_export.onnx.rewrites.upsampling import convolve_before_upsampling

REWRITES: tuple[Callable[[ir.Model], None], ...] = (
    fold_constants,
    fold_batch_norms,
    convolve_before_upsampling,
    activate_before_moving,
    interleave_by_transposing,
    project_repeated_once,
)
"""The rewrites in the order in which they depend on each other."""


def rewrite(model: ir.Model) -> None:
    """Apply all rewrites to a model, in place."""
    for step in REWRITES:
        step(model)
