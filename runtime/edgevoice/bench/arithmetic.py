"""How much there is to compute in a network, read from what ONNX Runtime says about a run."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.inference import open_session
from edgevoice.modelfolder import ModelFolder

Inputs = dict[str, NDArray[np.float32]]
Shape = list[int]

_WARM_UP = 10


@dataclass(frozen=True)
class Arithmetic:
    """What one run of a network takes, whatever the program that runs it."""

    operations: int
    """Multiplications and additions of its products: convolutions, matrix products, recurrences."""
    weights: int
    """Bytes of their weights."""

    @classmethod
    def count(cls, folder: ModelFolder, name: str, inputs: Inputs) -> Arithmetic:
        """Count those of one network of a model folder, run on the inputs given."""
        operations, weights = 0, 0
        for event in _trace(folder, name, inputs, optimised=False):
            shapes = _shapes(event["args"]["input_type_shape"])
            made = _shapes(event["args"]["output_type_shape"])
            products = _PRODUCTS.get(event["args"]["op_name"])
            if products:
                operations += 2 * products(shapes, made)
                weights += sum(map(_bytes, event["args"]["input_type_shape"][1:]))
        return cls(operations, weights)


def operator_times(folder: ModelFolder, name: str, inputs: Inputs, threads: int, runs: int = 100) -> dict[str, float]:
    """Median seconds a run on the CPU spends in each operator of the optimised network, the longest first.

    The profiler's own cost is in them, a few microseconds an operator.
    """
    times: dict[str, list[float]] = {}
    for event in _trace(folder, name, inputs, threads=threads, runs=runs + _WARM_UP):
        label = f"{event['args']['op_name']} {event['name'].removesuffix('_kernel_time')}"
        times.setdefault(label, []).append(event["dur"] * 1e-6)
    medians = {label: float(np.median(seconds[_WARM_UP:])) for label, seconds in times.items()}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def _trace(
    folder: ModelFolder, name: str, inputs: Inputs, *, threads: int = 1, optimised: bool = True, runs: int = 1
) -> list[dict[str, Any]]:
    """Events of ONNX Runtime's profiler, one for each operator of each run: `dur` is microseconds."""
    with tempfile.TemporaryDirectory() as scratch:
        session = open_session(folder, name, threads=threads, optimised=optimised, trace=Path(scratch) / "trace")
        for _ in range(runs):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]


def _shapes(typed: list[dict[str, Shape]]) -> list[Shape]:
    return [next(iter(entry.values())) for entry in typed]


def _bytes(typed: dict[str, Shape]) -> int:
    """Size of an array, {type: shape}."""
    return sum(_SIZES.get(name, 4) * math.prod(shape) for name, shape in typed.items())


def _convolution(inputs: list[Shape], outputs: list[Shape]) -> int:
    return math.prod(outputs[0]) * math.prod(inputs[1][1:])


def _transposed_convolution(inputs: list[Shape], _: list[Shape]) -> int:
    return math.prod(inputs[0]) * math.prod(inputs[1][1:])


def _matrix_product(inputs: list[Shape], outputs: list[Shape]) -> int:
    return math.prod(outputs[0]) * math.prod(inputs[1]) // outputs[0][-1]


def _recurrence(inputs: list[Shape], _: list[Shape]) -> int:
    return math.prod(inputs[0][:2]) * (math.prod(inputs[1]) + math.prod(inputs[2]))


_SIZES = {"uint8": 1, "int8": 1, "float16": 2}
_PRODUCTS = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _matrix_product,
    "MatMul": _matrix_product,
    "MatMulNBits": _matrix_product,
    "LSTM": _recurrence,
    "GRU": _recurrence,
}
