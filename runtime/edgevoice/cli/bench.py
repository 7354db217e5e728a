"""`edgevoice bench`: how fast a model is on this machine."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial

from edgevoice.bench.benchmark import run_benchmark
from edgevoice.bench.report import Report, compared, draw_report
from edgevoice.cli import options
from edgevoice.cli.console import bar, show, tell
from edgevoice.files import whole_file
from edgevoice.plotting.figurefile import figure_format, write_figure

_EPILOG = """\
examples:
  edgevoice bench
  edgevoice bench --model cae-256 --threads 2 --json now.json --plot now.png
  edgevoice bench --hop 0.05 --compare before.json
  edgevoice bench --mic --rounds 200

The numbers are checked before anything is timed. Every round runs each stage once. Ratios are those of medians of the same
run, so they can be compared between machines. Run no other program meanwhile: where the load of the machine or the spread
of a bare FFT shows that others computed, the result is marked as disturbed, and --compare gives no verdict.
"""


_measurement = partial(options.option, group="measurement")
_count = partial(_measurement, type=options.positive, metavar="N")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is measured, and how often: arguments of `run_benchmark`."""

    rounds: int = _count(default=1000, help="how often each stage is timed (default: 1000)")
    streams: int = _count(default=0, help="also find how many live streams N threads serve: a minute")
    level: str | float | None = options.level_option()
    hop: float | None = options.hop_option()
    microphone: str | None = _measurement(
        "--mic",
        nargs="?",
        const="",
        metavar="DEVICE",
        help="also listen to a microphone, half a minute: from sound to block and frame",
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, and where the results go to."""

    model: options.ModelOptions
    settings: Measurement
    json: str | None = options.option(
        metavar="FILE", help="write everything as JSON; - is standard output, without the table"
    )
    plot: str | None = options.option(metavar="FILE", help="save a picture: latency and stages (.png, .svg, .pdf)")
    compare: str | None = options.option(
        metavar="OLD.json", help="show what is slower than in a measurement that --json saved"
    )
    force: bool = options.force_option()


def run(asked: Bench) -> int:
    """Measure; print, write and compare."""
    old = Report.read(asked.compare) if asked.compare else None
    kind = figure_format(asked.plot) if asked.plot else ""
    options.check_places([asked.json, asked.plot], [asked.compare] if asked.compare else [], asked.force)
    with ExitStack() as stack:
        # Opened before minutes of measuring, so that a path that cannot be written is an error at once.
        kept = stack.enter_context(whole_file(asked.json, asked.force)) if asked.json not in (None, "-") else None
        picture = stack.enter_context(whole_file(asked.plot, asked.force)) if asked.plot else None
        form = "{desc:<10} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"
        shown = stack.enter_context(bar(total=100, bar_format=form))

        def progress(what: str, percent: float) -> None:
            shown.set_description_str(what)
            shown.update(percent)

        settings = {**asdict(asked.settings), "threads": asked.model.threads, "progress": progress}
        report = run_benchmark(asked.model.load(), **settings)
        if kept:
            kept.write(json.dumps(report.to_dict()).encode() + b"\n")
        if picture:
            write_figure(draw_report(report), picture, kind)
    as_json = asked.json == "-"
    show(json.dumps(report.to_dict()) if as_json else report.table())
    if old:
        comparison = compared(old, report)
        if as_json:
            for line in comparison.splitlines():
                tell(line)
        else:
            show(f"\n{comparison}")
    return 0


add = options.command("bench", Bench, run, _EPILOG)
