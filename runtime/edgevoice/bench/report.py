"""The results of a benchmark: as JSON, as a table, and compared with other results."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.bench.livestreams import LiveStreams
from edgevoice.bench.machine import Machine
from edgevoice.bench.processes import Process
from edgevoice.bench.reference import Check
from edgevoice.bench.timing import Timing
from edgevoice.errors import ArgumentError

FORMAT = 2
_THRESHOLD = 1.05
"""A ratio of medians below which a difference is not reported."""


@dataclass(frozen=True)
class Report:
    """The measurement of one model on one machine."""

    time: str
    """The time of the measurement, in UTC."""
    machine: Machine
    model: str
    files: dict[str, str]
    """Digests of the networks."""
    device: str
    threads: int
    hop: float
    """Seconds between two frames."""
    check: Check
    timings: dict[str, Timing]
    process: Process
    package_size: int
    """The size of EdgeVoice's own modules, in bytes."""
    model_size: int
    """The size of the networks in the model folder, in bytes."""
    live: LiveStreams | None = None
    """The number of live streams that the machine held; None where it was not measured."""

    @property
    def title(self) -> str:
        """What was measured."""
        return f"{self.model} on {self.device}, {self.threads} thread" + "s" * (self.threads != 1)

    @property
    def ratios(self) -> dict[str, float]:
        """Results that hardly depend on the speed of the machine: ratios of medians of this run."""
        median = {name: timing.median for name, timing in self.timings.items()}
        return {
            "front end / fft": median["front end"] / median["fft"],
            "encode() / encoder": median["encode()"] / median["encoder"],
            "first frame / imports": self.process.first_frame / self.process.imports,
        }

    @property
    def real_time_factor(self) -> float:
        """Computing time of `extract`, in seconds per second of audio."""
        return self.timings["extract()"].median / self.hop

    @property
    def streams(self) -> float | None:
        """The number of live streams that the threads could just hold, by the time that all pushes of a hop take."""
        live = self.timings.get("live, all pushes of a hop")
        return self.hop / live.median if live else None

    def to_dict(self) -> dict[str, Any]:
        """The values as a dictionary for JSON: times in milliseconds, and every single time in microseconds."""
        return {
            "format": FORMAT,
            "time": self.time,
            "machine": self.machine.to_dict(),
            "model": self.model,
            "files": self.files,
            "device": self.device,
            "threads": self.threads,
            "hop": self.hop,
            "check": asdict(self.check),
            "stages": {
                name: timing.summary() | {"microseconds": np.round(timing.seconds * 1e6, 1).tolist()}
                for name, timing in self.timings.items()
            },
            "ratios": self.ratios,
            "real_time_factor": self.real_time_factor,
            "streams": self.streams,
            "process": self.process.to_dict(),
            "package_size": self.package_size,
            "model_size": self.model_size,
            "live": asdict(self.live) | {"share": self.live.share} if self.live else None,
        }

    @classmethod
    def read(cls, path: str | Path) -> Report:
        """Read what was written with `to_dict`.

        Raises:
            ArgumentError: the file cannot be read, or is not such a report.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise ArgumentError(f"{path}: has the format {data['format']}, expected {FORMAT}")
            return cls(
                time=data["time"],
                machine=Machine(**data["machine"]),
                model=data["model"],
                files=data["files"],
                device=data["device"],
                threads=data["threads"],
                hop=data["hop"],
                check=Check(**data["check"]),
                timings={name: Timing(np.array(stage["microseconds"]) * 1e-6) for name, stage in data["stages"].items()},
                process=Process(**data["process"]),
                package_size=data["package_size"],
                model_size=data["model_size"],
                live=_live(data["live"]),
            )
        except OSError as error:
            raise ArgumentError(f"{path}: cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, ArgumentError):
                raise
            raise ArgumentError(f"{path}: is not the JSON of a benchmark ({type(error).__name__}: {error})") from error

    def table(self) -> str:
        """A table in plain text."""
        lines = [
            self.title,
            str(self.machine),
            str(self.check),
            "",
            _row("milliseconds a window", *next(iter(self.timings.values())).summary()),
            *(_row(name, *map(_three, timing.summary().values())) for name, timing in self.timings.items()),
            "",
            *(_row(name, f"{ratio:.2f}") for name, ratio in self.ratios.items()),
            "",
            _row("real-time factor", f"{self.real_time_factor:.4f}"),
        ]
        if self.streams:
            lines.append(_row("live streams at full load", f"{self.streams:.0f}"))
        if self.live:
            p50, p99 = 1e3 * self.live.p50, 1e3 * self.live.p99
            lines.append(
                _row("live streams held", str(self.live.count), f"{self.live.share:.0%}")
                + f"   of {self.live.ideal:.0f} on {self.live.threads} threads; frames {p50:.1f} ms late, p99 {p99:.1f}"
            )
        process = self.process
        lines.append(_row("start to first frame, s", _three(process.first_frame)) + f"   imports {process.imports:.3f}")
        if process.first_frame_resident is not None and process.imports_resident is not None:
            resident = process.first_frame_resident / 1e6
            lines.append(_row("resident, MB", f"{resident:.1f}") + f"   imports {process.imports_resident / 1e6:.1f}")
        lines.append(_row("package, MB", f"{self.package_size / 1e6:.2f}"))
        lines.append(_row("model, MB", f"{self.model_size / 1e6:.2f}"))
        return "\n".join(lines)


@dataclass(frozen=True)
class Comparison:
    """Compares two reports, stage by stage."""

    old: Report
    new: Report

    @property
    def ratios(self) -> dict[str, float]:
        """Ratio of the new to the old median, for the stages that both have."""
        return {
            name: timing.median / self.old.timings[name].median
            for name, timing in self.new.timings.items()
            if name in self.old.timings
        }

    @property
    def slower(self) -> list[str]:
        """Stages whose median rose by more than 5 %, and by more than chance explains."""
        return [name for name, ratio in self.ratios.items() if ratio > _THRESHOLD and self._apart(name)]

    @property
    def faster(self) -> list[str]:
        """Stages whose median fell by more than 5 %, and by more than chance explains."""
        return [name for name, ratio in self.ratios.items() if ratio < 1 / _THRESHOLD and self._apart(name)]

    def table(self) -> str:
        """A table in plain text."""
        lines = [f"{'milliseconds a window, p50':<28}{'old':>9}{'new':>9}{'ratio':>9}"]
        for name, ratio in self.ratios.items():
            verdict = "  slower" if name in self.slower else "  faster" if name in self.faster else ""
            before, after = 1e3 * self.old.timings[name].median, 1e3 * self.new.timings[name].median
            lines.append(f"{name:<28}{before:9.3f}{after:9.3f}{ratio:9.2f}{verdict}")
        lines.append("")
        for name, ratio in self.new.ratios.items():
            if name in self.old.ratios:
                lines.append(f"{name:<28}{self.old.ratios[name]:9.2f}{ratio:9.2f}")
        for what, old, new in (
            ("processor", self.old.machine.processor, self.new.machine.processor),
            ("model", self.old.model, self.new.model),
            ("device", f"{self.old.device}, {self.old.threads}", f"{self.new.device}, {self.new.threads}"),
        ):
            if old != new:
                lines.append(f"not the same {what}: {old}; {new}")
        return "\n".join(lines)

    def _apart(self, name: str) -> bool:
        one, other = self.old.timings[name].notch, self.new.timings[name].notch
        return one[1] < other[0] or other[1] < one[0]


def _live(data: dict[str, Any] | None) -> LiveStreams | None:
    return None if data is None else LiveStreams(**{name: value for name, value in data.items() if name != "share"})


def _row(name: str, *cells: str) -> str:
    return f"{name:<28}" + "".join(f"{cell:>9}" for cell in cells)


def _three(value: float) -> str:
    return f"{value:.3f}"
