"""The results of a benchmark: as JSON, as a table, and compared with other results."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.bench.livestreams import LiveStreams
from edgevoice.bench.machine import Machine
from edgevoice.bench.timing import Timing
from edgevoice.errors import ArgumentError

SCHEMA = "edgevoice.bench/3"
_THRESHOLD = 1.05
"""A ratio of medians below which a difference is not reported."""
_SPREADS = {"p90": (20, 1.5), "p99": (200, 3.0)}
"""Percentiles of the bare FFT: runs that carry them, and how many times the median they are at most on a machine at rest."""


@dataclass(frozen=True)
class Check:
    """How the numbers compare with others."""

    distance: float
    """Largest difference from the CPU, relative to the largest descriptor; 0 on the CPU."""
    live: bool
    """Whether a stream gives the same bits as `extract`."""
    batches: bool
    """Whether several windows are computed in one run; False where their bits would differ in a batch."""

    def __str__(self) -> str:
        live = "live as offline, bit for bit" if self.live else f"{self.distance:.1e} from the CPU"
        return f"{live}; {'several windows in one run' if self.batches else 'window by window: bits differ in a batch'}"


@dataclass(frozen=True)
class Report:
    """The measurement of one model on one machine."""

    time: str
    """The time of the measurement, in UTC."""
    machine: Machine
    """With the load before the measurement."""
    model: str
    device: str
    threads: int
    hop: float
    """Seconds between two frames."""
    level: str | float
    timings: dict[str, Timing]
    load_after: float | None = None
    live: LiveStreams | None = None
    """The number of live streams that the machine held; None where it was not measured."""
    files: dict[str, str] | None = None
    """Digests of the networks; this and the following are None in a report that was read."""
    check: Check | None = None
    model_size: int | None = None
    """The size of the networks in the model folder, in bytes."""

    @property
    def title(self) -> str:
        """What was measured."""
        return (
            f"{self.model} on {self.device}, {self.threads} thread{'s' * (self.threads != 1)}, a frame every {self.hop:g} s"
        )

    @property
    def disturbed(self) -> list[str]:
        """Why the times are not those of a machine at rest; empty where nothing speaks against them."""
        cores, own = self.machine.cores, max(self.threads, self.live.threads if self.live else 0)
        reasons = []
        for when, load, allowed in (
            ("before", self.machine.load, cores / 2),
            ("after", self.load_after, cores / 2 + own),  # with the measurement's own
        ):
            if load is not None and load > allowed:
                reasons.append(f"the load {when} it was {load:.1f} on {cores} cores")
        fft = self.timings["fft"]
        for name, (runs, most) in _SPREADS.items():
            ratio = float(np.percentile(fft.seconds, float(name[1:]))) / fft.median
            if len(fft.seconds) >= runs and ratio > most:
                reasons.append(f"{name} of the bare FFT is {ratio:.1f} times its median")
        return reasons

    @property
    def ratios(self) -> dict[str, float]:
        """Results that hardly depend on the speed of a machine at rest: ratios of medians of this run."""
        median = {name: timing.median for name, timing in self.timings.items()}
        return {
            "front end / fft": median["front end"] / median["fft"],
            "encode() / encoder": median["encode()"] / median["encoder"],
        }

    @property
    def real_time_factor(self) -> float:
        """Computing time of `extract`, in seconds per second of audio."""
        return self.timings["extract()"].median / self.hop

    @property
    def streams(self) -> float:
        """Live streams that one thread could serve without a pause, by the time that all pushes of a hop take."""
        return self.hop / self.timings["live, all pushes of a hop"].median

    def to_dict(self) -> dict[str, Any]:
        """The values as a dictionary for JSON: names end in their units."""
        stages = {
            name: {f"{key}_ms": value for key, value in timing.summary().items()}
            | {"times_us": np.round(timing.seconds * 1e6, 1).tolist()}
            for name, timing in self.timings.items()
        }
        return {
            "schema": SCHEMA,
            "time": self.time,
            "machine": self.machine.to_dict(),
            "load_after": self.load_after,
            "disturbed": self.disturbed,
            "model": self.model,
            "files": self.files,
            "device": self.device,
            "threads": self.threads,
            "hop_s": self.hop,
            "level": self.level,
            "check": self.check and asdict(self.check),
            "stages": stages,
            "ratios": self.ratios,
            "real_time_factor": self.real_time_factor,
            "streams_of_one_thread": self.streams,
            "model_bytes": self.model_size,
            "live_streams": self.live
            and {
                "count": self.live.count,
                "threads": self.live.threads,
                "p50_ms": 1e3 * self.live.p50,
                "p99_ms": 1e3 * self.live.p99,
            },
        }

    @classmethod
    def read(cls, path: str | Path) -> Report:
        """Read what a comparison needs of the JSON that `to_dict` gives.

        Raises:
            ArgumentError: the file cannot be read, or is not such a report.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if data["schema"] != SCHEMA:
                raise ValueError(f"its schema is {data['schema']!r}, expected {SCHEMA}")
            timings = {str(name): np.array(stage["times_us"], np.float64) * 1e-6 for name, stage in data["stages"].items()}
            if not all(times.ndim == 1 and len(times) and (times > 0).all() for times in timings.values()):
                raise ValueError("times that are none")
            machine, load = Machine(**data["machine"]), data["load_after"]
            report = cls(
                time=str(data["time"]),
                machine=machine,
                model=str(data["model"]),
                device=str(data["device"]),
                threads=int(data["threads"]),
                hop=float(data["hop_s"]),
                level=data["level"],
                timings={name: Timing(times) for name, times in timings.items()},
                load_after=None if load is None else float(load),
            )
            _ = report.disturbed, report.ratios  # their stages are there
        except OSError as error:
            raise ArgumentError(f"{path}: cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ArgumentError(f"{path}: is not the JSON of a benchmark ({type(error).__name__}: {error})") from error
        return report

    def table(self) -> str:
        """A table in plain text."""
        summaries = {name: timing.summary() for name, timing in self.timings.items()}
        names = [*dict.fromkeys(key for summary in summaries.values() for key in summary if key != "max"), "max"]
        lines = [self.title, str(self.machine), *([str(self.check)] if self.check else [])]
        lines += [f"DISTURBED: {reason}" for reason in self.disturbed]
        lines += ["", _row("milliseconds a window", *names)]
        lines += [
            _row(name, *(f"{summary[key]:.3f}" if key in summary else "" for key in names))
            for name, summary in summaries.items()
        ]
        lines += ["", *(_row(name, f"{ratio:.2f}") for name, ratio in self.ratios.items())]
        lines.append(_row("real-time factor", f"{self.real_time_factor:.4f}"))
        lines.append(
            _row("live streams, one thread", f"{self.streams:.0f}") + "   by the time that all pushes of a hop take"
        )
        if self.live:
            p50, p99 = 1e3 * self.live.p50, 1e3 * self.live.p99
            threads = f"on {self.live.threads} thread{'s' * (self.live.threads != 1)}"
            lines.append(
                _row("live streams held", str(self.live.count))
                + f"   {threads}; half of the frames within {p50:.1f} ms, 99 % within {p99:.1f}"
            )
        if self.model_size:
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
        common = self.new.timings.keys() & self.old.timings.keys()
        return {
            name: timing.median / self.old.timings[name].median
            for name, timing in self.new.timings.items()
            if name in common
        }

    @property
    def refused(self) -> list[str]:
        """Why there is no verdict: one of the two was disturbed."""
        reports = (("old", self.old), ("new", self.new))
        return [f"the {name} measurement was disturbed: {reason}" for name, one in reports for reason in one.disturbed]

    @property
    def verdicts(self) -> dict[str, str]:
        """The stages whose median changed by more than 5 %, and by more than chance explains: `slower` or `faster`."""
        changed = {} if self.refused else {name: ratio for name, ratio in self.ratios.items() if self._apart(name)}
        slower = {name: "slower" for name, ratio in changed.items() if ratio > _THRESHOLD}
        return slower | {name: "faster" for name, ratio in changed.items() if ratio < 1 / _THRESHOLD}

    def table(self) -> str:
        """A table in plain text."""
        lines = [_row("milliseconds a window, p50", "old", "new", "ratio")]
        for name, ratio in self.ratios.items():
            before, after = 1e3 * self.old.timings[name].median, 1e3 * self.new.timings[name].median
            verdict = self.verdicts.get(name)
            lines.append(_row(name, f"{before:.3f}", f"{after:.3f}", f"{ratio:.2f}") + (f"  {verdict}" if verdict else ""))
        lines.append("")
        lines += [_row(name, f"{self.old.ratios[name]:.2f}", f"{ratio:.2f}") for name, ratio in self.new.ratios.items()]
        for what, old, new in (
            ("processor", self.old.machine.processor, self.new.machine.processor),
            ("model", self.old.model, self.new.model),
            ("device", f"{self.old.device}, {self.old.threads}", f"{self.new.device}, {self.new.threads}"),
            ("hop", self.old.hop, self.new.hop),
        ):
            if old != new:
                lines.append(f"not the same {what}: {old}; {new}")
        return "\n".join([*lines, *(f"no verdict: {reason}" for reason in self.refused)])

    def _apart(self, name: str) -> bool:
        one, other = self.old.timings[name].notch, self.new.timings[name].notch
        return one[1] < other[0] or other[1] < one[0]


def _row(name: str, *cells: str) -> str:
    return f"{name:<28}" + "".join(f"{cell:>9}" for cell in cells)
