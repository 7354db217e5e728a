"""A report as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevoice.bench.report import Report
from edgevoice.plotting.figurefile import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BARS = (
    "fft",
    "front end",
    "encoder",
    "decoder",
    "encode()",
    "describe()",
    "push with a frame",
    "extract()",
)


def draw_report(report: Report) -> Figure:
    """The histogram of the time from push to frame, and the stages' medians with their 99th percentiles.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    figure = new_figure(10, 4)
    histogram, bars = figure.subplots(1, 2)

    name = "push with a frame" if "push with a frame" in report.timings else "describe()"
    milliseconds = 1e3 * report.timings[name].seconds
    histogram.hist(milliseconds[milliseconds <= np.percentile(milliseconds, 99)], bins=60, color="#4c72b0")
    for percentile, style in ((50, "-"), (90, "--"), (99, ":")):
        value = np.percentile(milliseconds, percentile)
        histogram.axvline(value, color="black", linewidth=0.8, linestyle=style, label=f"p{percentile}: {value:.2f} ms")
    histogram.legend(fontsize=8)
    histogram.set(xlabel="milliseconds", ylabel="runs", title=f"{name}, up to p99")

    stages = [stage for stage in _BARS if stage in report.timings]
    summaries = [report.timings[stage].summary() for stage in stages]
    medians = [summary["p50"] for summary in summaries]
    beyond = [summary["p99"] - summary["p50"] for summary in summaries]
    bars.barh(stages, medians, xerr=[np.zeros(len(stages)), beyond], color="#4c72b0", ecolor="#888888", capsize=2)
    bars.invert_yaxis()
    bars.set(xlabel="milliseconds a window", title="median, up to p99")
    figure.suptitle(f"{report.title}: {report.machine.processor}", fontsize=10)
    return figure
