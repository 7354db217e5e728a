"""The machine and the software that a measurement was made with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgevoice import providers
from edgevoice.threads import usable_cores

PACKAGES = ("edgevoice", "numpy", *providers.PACKAGES, "soundfile", "soxr")


@dataclass(frozen=True)
class Machine:
    """The properties of a machine that measurements depend on."""

    processor: str
    cores: int
    """The number of logical cores that this process may use."""
    system: str
    python: str
    packages: dict[str, str]
    """Installed versions, by the name of the package."""
    load: float | None
    """Load average of the last minute: see `load_average`."""
    real_time: bool = False
    """Whether the measurement had real-time priority, so that other programs could not interrupt it."""

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        priority = "; real-time priority" * self.real_time
        return f"{self.processor}, {self.cores} cores; {self.system}{priority}; Python {self.python}; {versions}"

    @classmethod
    def this(cls, packages: tuple[str, ...] = PACKAGES) -> Machine:
        """Describe this machine."""
        versions = {}
        for name in packages:
            with suppress(importlib.metadata.PackageNotFoundError):
                versions[name] = importlib.metadata.version(name)
        return cls(
            processor=_processor(),
            cores=usable_cores(),
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
            packages=versions,
            load=load_average(),
            real_time=hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR),
        )


def load_average() -> float | None:
    """Processes that used or wanted a core in the last minute, on average; None where the system does not report it."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _processor() -> str:
    if sys.platform == "linux":
        with suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
