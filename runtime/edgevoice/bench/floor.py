"""How fast a network could be on this machine: its products at the rate of a large matrix product, its weights read once.

    python -m edgevoice.bench.floor BYTES

prints the rates of this machine as JSON. NumPy fixes the threads of its matrix product when it is loaded, so `Floor.measure`
does it in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgevoice.bench.arithmetic import Arithmetic

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_SIDE = 512  # of a matrix whose product runs at full speed, and is done before the scheduler takes the core away
_SECONDS = 0.5  # for each of the two rates


@dataclass(frozen=True)
class Floor:
    """The best rates that were seen on this machine."""

    sgemm: float
    """Operations a second of a float32 matrix product of 512 x 512."""
    read: float
    """Bytes a second at which a float32 matrix is read, again and again, by a product with a vector."""

    @classmethod
    def measure(cls, size: int, threads: int) -> Floor:
        """Measure on so many threads. `size` bytes are read: it depends on them which cache they come from."""
        environment = os.environ | dict.fromkeys(_THREADS, str(threads))
        command = [sys.executable, "-m", "edgevoice.bench.floor", str(size)]
        output = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout  # noqa: S603
        return cls(**json.loads(output))

    def best(self, other: Floor) -> Floor:
        """The higher of both rates."""
        return Floor(max(self.sgemm, other.sgemm), max(self.read, other.read))

    def seconds(self, arithmetic: Arithmetic) -> float:
        """The floor of a network: its operations and its weights at these rates, one after the other."""
        return arithmetic.operations / self.sgemm + arithmetic.weights / self.read


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


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_rates(int(sys.argv[1]))))
