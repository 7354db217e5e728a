"""How fast a network could be on this machine, how fast it is, and where its time goes.

    python -m benchmarks.floor --model cae-256

prints a table. The floor of a network is what its products would take at the rate of a large matrix product, and its
weights at the rate at which memory is read again and again. `again` is a run right after one that does not count, with
the weights still in the caches: what is compared with the floor. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgevoice
from edgevoice import Extractor
from edgevoice.bench.benchmark import noise
from edgevoice.bench.machine import Machine
from edgevoice.bench.timing import Call, time_calls
from edgevoice.modelfolder import ModelFolder
from edgevoice.sessions import open_session

Inputs = dict[str, NDArray[np.float32]]
Shape = list[int]

ROOT = Path(__file__).resolve().parents[1]
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_SIDE = 512  # of a matrix whose product runs at full speed, and is done before the scheduler takes the core away
_SECONDS = 0.5  # for each of the two rates
_WARM_UP = 10
_OUTPUTS = {"encoder.onnx": "bottleneck", "decoder.onnx": "error"}


@dataclass(frozen=True)
class Arithmetic:
    """The cost of one run of a network, independent of the program that runs it."""

    operations: int
    """Multiplications and additions in convolutions, matrix products and recurrences."""
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


@dataclass(frozen=True)
class Floor:
    """The best rates that were measured on this machine."""

    sgemm: float
    """Operations a second of a float32 matrix product of 512 x 512."""
    read: float
    """Bytes a second at which a float32 matrix is read, again and again, by a product with a vector."""

    @classmethod
    def measure(cls, size: int, threads: int) -> Floor:
        """Measure on so many threads. `size` bytes are read: it depends on them which cache they come from."""
        environment = os.environ | dict.fromkeys(_THREADS, str(threads))
        command = [sys.executable, "-m", "benchmarks.floor", "--rates", str(size)]
        output = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True).stdout
        return cls(**json.loads(output))

    def best(self, other: Floor) -> Floor:
        """The higher of both rates."""
        return Floor(max(self.sgemm, other.sgemm), max(self.read, other.read))

    def seconds(self, arithmetic: Arithmetic) -> float:
        """The floor of a network: its operations and its weights at these rates, one after the other."""
        return arithmetic.operations / self.sgemm + arithmetic.weights / self.read


def operator_times(folder: ModelFolder, name: str, inputs: Inputs, threads: int, runs: int = 100) -> dict[str, float]:
    """Median seconds per run in each operator of the optimised network on the CPU, the longest first.

    The profiler's own cost is in them, a few microseconds an operator.
    """
    times: dict[str, list[float]] = {}
    for event in _trace(folder, name, inputs, threads=threads, runs=runs + _WARM_UP):
        label = f"{event['args']['op_name']} {event['name'].removesuffix('_kernel_time')}"
        times.setdefault(label, []).append(event["dur"] * 1e-6)
    medians = {label: float(np.median(seconds[_WARM_UP:])) for label, seconds in times.items()}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def _best(run: Callable[[], object]) -> float:
    """Seconds of the fastest of many runs."""
    best, end = np.inf, time.perf_counter() + _SECONDS
    while (begin := time.perf_counter()) < end:
        run()
        best = min(best, time.perf_counter() - begin)
    return float(best)


def _rates(size: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((_SIDE, _SIDE)).astype(np.float32) for _ in range(2))
    product = np.empty_like(left)
    matrix = rng.standard_normal((max(1, size // (4 * _SIDE)), _SIDE)).astype(np.float32)
    vector, made = matrix[0].copy(), np.empty(len(matrix), np.float32)
    return {
        "sgemm": 2 * _SIDE**3 / _best(lambda: np.matmul(left, right, out=product)),
        "read": matrix.nbytes / _best(lambda: np.matmul(matrix, vector, out=made)),
    }


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


@dataclass(frozen=True)
class Account:
    """Measurements of one network on this machine."""

    arithmetic: Arithmetic
    again: float
    """Median seconds of a run directly after another one."""
    floor: float
    """Seconds of a run at the machine's best rates."""
    operators: dict[str, float]
    """Median seconds in each operator, the longest first."""


def account(extractor: Extractor, threads: int, rounds: int) -> tuple[Floor, dict[str, Account]]:
    """The machine's rates, and an account of each network by its file's name."""
    folder, inputs = extractor.folder, _inputs(extractor)
    counted = {name: Arithmetic.count(folder, name, these) for name, these in inputs.items()}
    size = sum(arithmetic.weights for arithmetic in counted.values())
    floor = Floor.measure(size, threads)
    calls = []
    for name, these in inputs.items():
        run = partial(open_session(folder, name, threads=threads).run, [_OUTPUTS[name]], these)
        calls.append(Call(name, run, run))
    timings = time_calls(calls, rounds)
    operators = {name: operator_times(folder, name, these, threads) for name, these in inputs.items()}
    floor = floor.best(Floor.measure(size, threads))
    return floor, {
        name: Account(arithmetic, timings[name].median, floor.seconds(arithmetic), operators[name])
        for name, arithmetic in counted.items()
    }


def floor_table(floor: Floor, accounts: dict[str, Account]) -> str:
    """A table in plain text."""
    lines = [
        f"products {floor.sgemm / 1e9:.0f} Gop/s, weights {floor.read / 1e9:.0f} GB/s",
        "",
        f"{'network':<28}" + "".join(f"{name:>12}" for name in ("again, ms", "floor, ms", "again/floor", "Mop", "MB")),
    ]
    for name, found in accounts.items():
        cells = (
            f"{1e3 * found.again:.3f}",
            f"{1e3 * found.floor:.3f}",
            f"{found.again / found.floor:.2f}",
            f"{found.arithmetic.operations / 1e6:.1f}",
            f"{found.arithmetic.weights / 1e6:.1f}",
        )
        lines.append(f"{name:<28}" + "".join(f"{cell:>12}" for cell in cells))
    for name, found in accounts.items():
        lines += ["", f"{name}, by operator (with the profiler's own cost)"]
        lines += [f"{1e3 * seconds:12.3f} ms  {operator}" for operator, seconds in found.operators.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cae-256", help="a name, or a folder (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="threads of a run (default: 1)")
    parser.add_argument("--rounds", type=int, default=1000, help="times taken of each network (default: 1000)")
    # NumPy fixes the threads of its matrix product when it is loaded: `Floor.measure` asks another process for the rates.
    parser.add_argument("--rates", type=int, metavar="BYTES", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rates is not None:
        print(json.dumps(_rates(arguments.rates)))
        return
    extractor = edgevoice.load(arguments.model, threads=arguments.threads)
    print(f"{extractor.config.name} {extractor.config.version}, threads: {arguments.threads}\n{Machine.this()}")
    print(floor_table(*account(extractor, arguments.threads, arguments.rounds)))


def _inputs(extractor: Extractor) -> dict[str, Inputs]:
    """The inputs of the networks: one window of noise."""
    window = noise(extractor.config.audio.window)
    image = {"spectrogram": extractor.spectrogram(window)[:, None]}
    return {"encoder.onnx": image, "decoder.onnx": {"bottleneck": extractor.encode(window), **image}}


if __name__ == "__main__":
    main()
