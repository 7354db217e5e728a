"""Measures new processes: the time from start to first frame, and the memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from statistics import median

from edgevoice.errors import ProviderError

_FIRST_FRAME = """
import sys, numpy, edgevoice
extractor = edgevoice.load(sys.argv[1], device=sys.argv[2], threads=int(sys.argv[3]))
extractor.describe(numpy.zeros(extractor.config.audio.window, numpy.float32))
print("frame", flush=True)
from edgevoice.bench.machine import resident
print(resident() or 0)
"""


@dataclass(frozen=True)
class Process:
    """Medians over processes that were started one after the other."""

    first_frame: float
    """Seconds from the start of a process that loads the model to its first frame."""
    resident: int | None
    """Memory after the first frame, in bytes; None where the system does not report it."""

    @classmethod
    def measure(cls, model: str, device: str, threads: int, starts: int) -> Process:
        """Start processes: one to fill the caches, then `starts` that count.

        Raises:
            ProviderError: one failed.
        """
        seconds, memory = [], []
        command = [sys.executable, "-c", _FIRST_FRAME, model, device, str(threads)]
        with tempfile.TemporaryDirectory() as cache:
            environment = installed_environment(cache)
            for _ in range(starts + 1):
                begin = time.perf_counter()
                with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:  # noqa: S603
                    assert process.stdout  # noqa: S101 - a pipe
                    process.stdout.readline()
                    seconds.append(time.perf_counter() - begin)
                    memory.append(int(process.stdout.readline() or 0))
                if process.returncode:
                    raise ProviderError(f"a process that loads {model} ended with {process.returncode}")
        return cls(median(seconds[1:]), round(median(memory[1:])) or None)


def installed_environment(cache: str) -> dict[str, str]:
    """Environment variables with which Python finds all modules compiled, as an installation has them.

    Args:
        cache: folder for what is compiled; the first process fills it.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # As EdgeVoice does: a bare import of ONNX Runtime would write into the home folder.
    return environment | {"PYTHONPYCACHEPREFIX": cache, "ORT_DISABLE_TELEMETRY": "1"}
