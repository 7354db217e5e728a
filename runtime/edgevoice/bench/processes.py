"""Measures new processes: the time from start to first frame, and the memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from statistics import median

_IMPORTS = "import numpy, onnxruntime"

_FIRST_FRAME = """
import sys, numpy, edgevoice
extractor = edgevoice.load(sys.argv[1], device=sys.argv[2], threads=int(sys.argv[3]))
extractor.describe(numpy.zeros(extractor.config.audio.window, numpy.float32))
sys.stdout.write("frame\\n")
sys.stdout.flush()
"""

# Memory is measured in separate runs, because measuring takes time.
_RESIDENT = """
from edgevoice.bench.machine import resident
print(resident() or 0)
"""


@dataclass(frozen=True)
class Process:
    """Medians over processes that were started in alternation."""

    imports: float
    """Duration of `python -c "import numpy, onnxruntime"` in seconds."""
    first_frame: float
    """Seconds from the start of a process that loads the model to its first frame."""
    imports_resident: int | None
    """Memory after these imports, in bytes; None where the system does not report it."""
    first_frame_resident: int | None
    """Memory after the first frame, in bytes."""
    starts: int
    """The number of timed processes of each kind."""

    @classmethod
    def measure(cls, model: str, device: str, threads: int, starts: int) -> Process:
        """Start processes: one of each kind to fill the caches, then `starts` of each that count."""
        arguments = [model, device, str(threads)]
        imports, first_frame = [], []
        with tempfile.TemporaryDirectory() as cache:
            environment = installed_environment(cache)
            for _ in range(starts + 1):
                imports.append(_time(_IMPORTS, arguments, environment, to_the_end=True))
                first_frame.append(_time(_FIRST_FRAME, arguments, environment, to_the_end=False))
            resident = [_last_line(program + _RESIDENT, arguments, environment) for program in (_IMPORTS, _FIRST_FRAME)]
        imports_resident, first_frame_resident = (int(line) or None for line in resident)
        return cls(median(imports[1:]), median(first_frame[1:]), imports_resident, first_frame_resident, starts)

    def to_dict(self) -> dict[str, object]:
        """The values as a dictionary for JSON."""
        return asdict(self)


def installed_environment(cache: str) -> dict[str, str]:
    """Environment variables with which Python finds all modules compiled, as an installation has them.

    Args:
        cache: folder for what is compiled; the first process fills it.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # As EdgeVoice does: a bare import of ONNX Runtime would write into the home folder.
    return environment | {"PYTHONPYCACHEPREFIX": cache, "ORT_DISABLE_TELEMETRY": "1"}


def _time(program: str, arguments: list[str], environment: dict[str, str], *, to_the_end: bool) -> float:
    """Seconds until a program ends, or until it writes its first line."""
    command = [sys.executable, "-c", program, *arguments]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:  # noqa: S603
        if process.stdout and not to_the_end:
            process.stdout.readline()
            seconds = time.perf_counter() - begin
        process.communicate()
        if to_the_end:
            seconds = time.perf_counter() - begin
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds


def _last_line(program: str, arguments: list[str], environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", program, *arguments]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment).stdout  # noqa: S603
    return output.splitlines()[-1]
