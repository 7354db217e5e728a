"""The results of a benchmark: as JSON, as a table, as a picture, and compared with other results."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevoice.bench.livestreams import LiveStreams
from edgevoice.bench.machine import Machine
from edgevoice.bench.timing import Timing
from edgevoice.errors import ArgumentError
from edgevoice.plotting.figurefile import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "edgevoice.bench/3"
_THRESHOLD = 1.05
"""A ratio of medians below which a difference is not reported."""
_SPREADS = {"p90": (20, 1.5), "p99": (200, 3.0)}
"""Percentiles of the bare FFT: runs that carry them, and how many times the median they are at most on a machine at rest."""
_CURVES = {"push with a frame": "C0", "encode()": "C1", "front end": "C2"}
_BARS = ("fft", "front end", "encoder", "decoder", "encode()", "describe()", "push with a frame", "extract()")


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
    hop_s: float
    """Seconds between two frames."""
    level: str | float
    stages: dict[str, Timing]
    load_after: float | None = None
    live_streams: LiveStreams | None = None
    """The number of live streams that the machine held; None where it was not measured."""
    files: dict[str, str] | None = None
    """Digests of the networks; this and the following are None in a report that was read."""
    check: Check | None = None

    @property
    def title(self) -> str:
        """What was measured."""
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        return f"{self.model} on {self.device}, {threads}, a frame every {self.hop_s:g} s"

    @property
    def disturbed(self) -> list[str]:
        """Why the times are not those of a machine at rest; empty where nothing speaks against them."""
        cores, own = self.machine.cores, max(self.threads, self.live_streams.threads if self.live_streams else 0)
        reasons = []
        for when, load, allowed in (
            ("before", self.machine.load, cores / 2),
            ("after", self.load_after, cores / 2 + own),  # with the measurement's own
        ):
            if load is not None and load > allowed:
                reasons.append(f"the load {when} it was {load:.1f} on {cores} cores")
        fft = self.stages["fft"]
        for name, (runs, most) in _SPREADS.items():
            ratio = float(np.percentile(fft.seconds, float(name[1:]))) / fft.median
            if len(fft.seconds) >= runs and ratio > most:
                reasons.append(f"{name} of the bare FFT is {ratio:.1f} times its median")
        return reasons

    @property
    def ratios(self) -> dict[str, float]:
        """Results that hardly depend on the speed of a machine at rest: ratios of medians of this run."""
        median = {name: timing.median for name, timing in self.stages.items()}
        return {
            "front end / fft": median["front end"] / median["fft"],
            "encode() / encoder": median["encode()"] / median["encoder"],
        }

    @property
    def real_time_factor(self) -> float:
        """Computing time of `extract`, in seconds per second of audio."""
        return self.stages["extract()"].median / self.hop_s

    @property
    def streams_of_one_thread(self) -> float:
        """Live streams that one thread could serve without a pause, by the time that all pushes of a hop take."""
        return self.hop_s / self.stages["live, all pushes of a hop"].median

    def to_dict(self) -> dict[str, Any]:
        """The values as a dictionary for JSON: names end in their units."""
        derived = ("disturbed", "ratios", "real_time_factor", "streams_of_one_thread")
        stages = {
            name: {f"{key}_ms": value for key, value in timing.summary().items()}
            | {"times_us": np.round(timing.seconds * 1e6, 1).tolist()}
            for name, timing in self.stages.items()
        }
        results = {name: getattr(self, name) for name in derived}
        return {"schema": SCHEMA, **asdict(replace(self, stages={})), **results, "stages": stages}

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
            stages = {name: Timing(np.array(stage["times_us"], np.float64) * 1e-6) for name, stage in data["stages"].items()}
            if not all(one.seconds.ndim == 1 and len(one.seconds) and (one.seconds > 0).all() for one in stages.values()):
                raise ValueError("times that are none")
            told = {name: data[name] for name in ("time", "model", "device", "threads", "hop_s", "level", "load_after")}
            report = cls(**told, machine=Machine(**data["machine"]), stages=stages)
            _ = report.title, report.disturbed, report.ratios  # their values are there
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ArgumentError(f"{path}: is not the JSON of a benchmark ({type(error).__name__}: {error})") from error
        return report

    def table(self) -> str:
        """A table in plain text."""
        summaries = {name: timing.summary() for name, timing in self.stages.items()}
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
        streams = _row("live streams, one thread", f"{self.streams_of_one_thread:.0f}")
        lines.append(f"{streams}   by the time that all pushes of a hop take")
        if held := self.live_streams:
            threads = f"on {held.threads} thread{'s' * (held.threads != 1)}"
            within = f"half of the frames within {held.p50_ms:.1f} ms, 99 % within {held.p99_ms:.1f}"
            lines.append(f"{_row('live streams held', str(held.count))}   {threads}; {within}")
        return "\n".join(lines)


def verdicts(old: Report, new: Report) -> dict[str, str]:
    """Of the stages that both have: `slower` or `faster` by more than 5 % and than chance explains, else an empty text.

    It is empty for all where one of the two was disturbed.
    """
    found = {name: "" for name in new.stages if name in old.stages}
    for name in () if old.disturbed or new.disturbed else found:
        one, other = old.stages[name], new.stages[name]
        if one.notch[1] < other.notch[0] and other.median > _THRESHOLD * one.median:
            found[name] = "slower"
        elif other.notch[1] < one.notch[0] and one.median > _THRESHOLD * other.median:
            found[name] = "faster"
    return found


def compared(old: Report, new: Report) -> str:
    """The comparison of two reports, stage by stage, as a table in plain text."""
    lines = [_row("milliseconds a window, p50", "old", "new", "ratio")]
    for name, verdict in verdicts(old, new).items():
        before, after = 1e3 * old.stages[name].median, 1e3 * new.stages[name].median
        lines.append(_row(name, f"{before:.3f}", f"{after:.3f}", f"{after / before:.2f}") + f"  {verdict}" * bool(verdict))
    lines += ["", *(_row(name, f"{old.ratios[name]:.2f}", f"{ratio:.2f}") for name, ratio in new.ratios.items())]
    for what, one, other in (
        ("processor", old.machine.processor, new.machine.processor),
        ("measurement", old.title, new.title),
    ):
        if one != other:
            lines.append(f"not the same {what}: {one}; {other}")
    for when, report in (("old", old), ("new", new)):
        lines += [f"no verdict: the {when} measurement was disturbed: {reason}" for reason in report.disturbed]
    return "\n".join(lines)


def _row(name: str, *cells: str) -> str:
    return f"{name:<28}" + "".join(f"{cell:>9}" for cell in cells)


@styled
def draw_report(report: Report) -> Figure:
    """The share of runs by their time, with the hop as the budget, and the stages' medians."""
    figure = new_figure(10, 4.5)
    curves, bars = figure.subplots(1, 2)
    for name, colour in _CURVES.items():
        times = 1e3 * np.sort(report.stages[name].seconds)
        curves.step(times, np.arange(1, len(times) + 1) / len(times), where="post", color=colour, label=name)
    budget = 1e3 * report.hop_s
    curves.axvline(budget, color="black", linewidth=1, linestyle="--", label=f"budget: a hop of {budget:g} ms")
    curves.set(xscale="log", ylim=(0, 1), xlabel="milliseconds", ylabel="share of runs within", title="time of one window")
    curves.grid(visible=True, which="both", alpha=0.2)
    curves.legend(fontsize=8)

    stages = [stage for stage in _BARS if stage in report.stages]
    summaries = [report.stages[stage].summary() for stage in stages]
    highest = next(name for name in ("p99", "p90", "max") if name in summaries[0])
    medians = np.array([summary["p50"] for summary in summaries])
    ends = np.array([summary.get(highest, summary["max"]) for summary in summaries])
    bars.hlines(stages, medians, ends, color="#999999", linewidth=2, label=f"to {highest}")
    bars.plot(medians, stages, "o", color="C0", label="median")
    for stage, median in zip(stages, medians, strict=True):
        bars.annotate(
            f"{median:.2f}", (median, stage), (-6, 0), textcoords="offset points", ha="right", va="center", fontsize=8
        )
    bars.set(xscale="log", xlabel="milliseconds a window", title="stages", xlim=(medians.min() / 2.5, None))
    bars.invert_yaxis()
    bars.legend(fontsize=8)
    for axes in (curves, bars):
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    figure.suptitle(f"{report.title}: {report.machine.processor}", fontsize=10)
    if report.disturbed:
        figure.text(0.5, 0.5, "disturbed", size=60, color="red", alpha=0.25, rotation=20, ha="center", va="center")
    return figure
