"""A report as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevoice.bench.report import Report
from edgevoice.plotting.figurefile import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CURVES = {"push with a frame": "C0", "encode()": "C1", "front end": "C2"}
_BARS = ("fft", "front end", "encoder", "decoder", "encode()", "describe()", "push with a frame", "extract()")


def draw_report(report: Report) -> Figure:
    """The share of runs by their time, with the hop as the budget, and the stages' medians.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    figure = new_figure(10, 4.5)
    curves, bars = figure.subplots(1, 2)
    for name, colour in _CURVES.items():
        times = 1e3 * np.sort(report.timings[name].seconds)
        curves.step(times, np.arange(1, len(times) + 1) / len(times), where="post", color=colour, label=name)
    budget = 1e3 * report.hop
    curves.axvline(budget, color="black", linewidth=1, linestyle="--", label=f"budget: a hop of {budget:g} ms")
    curves.set(xscale="log", ylim=(0, 1), xlabel="milliseconds", ylabel="share of runs within", title="time of one window")
    curves.grid(visible=True, which="both", alpha=0.2)
    curves.legend(fontsize=8)

    stages = [stage for stage in _BARS if stage in report.timings]
    summaries = [report.timings[stage].summary() for stage in stages]
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
