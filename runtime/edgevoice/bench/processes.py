"""What a process of its own takes: from its start to the first frame, and in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from statistics import median

_IMPORTS = """
import numpy, onnxruntime
"""

_FIRST_FRAME = """
import sys, numpy, edgevoice
extractor = edgevoice.load(sys.argv[1], device=sys.argv[2], threads=int(sys.argv[3]))
extractor.describe(numpy.zeros(extractor.config.audio.window, numpy.float32))
"""

# Memory is asked for in runs of their own: asking takes time.
_RESIDENT = """
from edgevoice.bench.machine import resident
import json
print(json.dumps(resident()))
"""


@dataclass(frozen=True)
class Process:
    """Medians over processes that were started in alternation."""

    imports: float
    """Seconds of `python -c "import numpy, onnxruntime"`."""
    first_frame: float
    """Seconds of a process that loads the model, computes a frame and ends."""
    imports_resident: int | None
    """Bytes in memory after these imports; None where the system does not tell."""
    first_frame_resident: int | None
    """Bytes in memory after the first frame."""
    starts: int
    """Processes of each kind that were timed."""

    @classmethod
    def measure(cls, model: str, device: str, threads: int, starts: int) -> Process:
        """Start processes: one of each kind to fill the file system's cache, then `starts` of each that count."""
        arguments = [model, device, str(threads)]
        seconds: dict[str, list[float]] = {_IMPORTS: [], _FIRST_FRAME: []}
        for number in range(starts + 1):
            for program in (_IMPORTS, _FIRST_FRAME)[:: 1 if number % 2 else -1]:
                begin = time.perf_counter()
                _run(program, arguments)
                if number:
                    seconds[program].append(time.perf_counter() - begin)
        return cls(
            imports=median(seconds[_IMPORTS]),
            first_frame=median(seconds[_FIRST_FRAME]),
            imports_resident=json.loads(_run(_IMPORTS + _RESIDENT, arguments)),
            first_frame_resident=json.loads(_run(_FIRST_FRAME + _RESIDENT, arguments)),
            starts=starts,
        )

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)


def _run(program: str, arguments: list[str]) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout  # noqa: S603
