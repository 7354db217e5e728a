"""`edgevoice bench`: how fast a model is on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from typing import Any

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, add_force, add_model_options, load_extractor, parser_of, positive
from edgevoice.files import refuse_existing, whole_file
from edgevoice.plotting.figurefile import figure_format, write_figure

_EPILOG = """\
examples:
  edgevoice bench
  edgevoice bench --model cae-256 --threads 2 --json now.json --plot now.png
  edgevoice bench --compare before.json

The numbers are compared with a reference before anything is timed. Every round runs each stage once. Ratios are those of
medians of the same run, so they can be compared between machines. Run no other program meanwhile.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "bench", _EPILOG)
    add_model_options(parser)
    group = parser.add_argument_group("measurement")
    group.add_argument(
        "--rounds", type=positive, default=1000, metavar="N", help="number of times that each stage is timed (default: 1000)"
    )
    group.add_argument("--starts", type=positive, default=9, metavar="N", help="processes to start and time (default: 9)")
    group.add_argument(
        "--streams",
        type=positive,
        default=0,
        metavar="N",
        help="also measure how many live streams N threads can serve; about a minute",
    )
    group.add_argument("--json", metavar="FILE", help="write everything as JSON; - is standard output, without the table")
    group.add_argument("--plot", metavar="FILE", help="save a picture: latency histogram and stages (.png, .svg, .pdf)")
    add_force(parser)
    group.add_argument("--compare", metavar="OLD.json", help="show what is slower than in a measurement that --json saved")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure; print, write and compare."""
    # Loaded here: other commands do not need it.
    from edgevoice.bench.benchmark import run_benchmark
    from edgevoice.bench.figure import draw_report
    from edgevoice.bench.report import Comparison, Report

    old = Report.read(arguments.compare) if arguments.compare else None
    kind = figure_format(arguments.plot) if arguments.plot else ""
    if not arguments.force:
        for path in (arguments.json, arguments.plot):
            if path not in (None, "-"):
                refuse_existing(path)
    with ExitStack() as stack:
        # Opened before minutes of measuring, so that a path that cannot be written is an error at once.
        kept = (
            stack.enter_context(whole_file(arguments.json, arguments.force)) if arguments.json not in (None, "-") else None
        )
        picture = stack.enter_context(whole_file(arguments.plot, arguments.force)) if arguments.plot else None
        bar = stack.enter_context(_Bar())
        report = run_benchmark(
            load_extractor(arguments),
            threads=arguments.threads,
            rounds=arguments.rounds,
            starts=arguments.starts,
            stream_threads=arguments.streams,
            progress=bar.update,
        )
        if kept:
            kept.write(json.dumps(report.to_dict()).encode() + b"\n")
        if picture:
            write_figure(draw_report(report), picture, kind)
    if arguments.json == "-":
        show(json.dumps(report.to_dict()))
    else:
        show(report.table())
    if old:
        compared = f"\n{Comparison(old, report).table()}"
        if arguments.json == "-":
            print(compared, file=sys.stderr)
        else:
            show(compared)
    return 0


class _Bar:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        if sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=100, bar_format="{desc:<10} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]")

    def update(self, what: str, percent: int) -> None:
        """Advance by `percent`, and show what is done next."""
        if self._bar is not None:
            self._bar.set_description_str(what)
            self._bar.update(percent)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
