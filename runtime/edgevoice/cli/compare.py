"""`edgevoice compare`: what models, levels and openSMILE's sets are worth on the user's own labels."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from edgevoice.cli.console import aligned, show, tell
from edgevoice.cli.fit import add_labels, shown_progress
from edgevoice.cli.options import Commands, add_force, level, parser_of
from edgevoice.errors import ArgumentError
from edgevoice.files import refuse_existing, whole_file
from edgevoice.heads.comparing import Comparison, compare
from edgevoice.heads.fitting import check_packages
from edgevoice.heads.judging import sentence
from edgevoice.plotting.figurefile import figure_format, write_figure

_EPILOG = """\
examples:
  edgevoice compare utterances.csv --label sex --group speaker --models cae-256 cae-64
  edgevoice compare utterances.csv --label sex --group speaker --fractions 0.1 0.3 1 -o sex.html

All are judged on the same pieces and the same held-out groups; what one of them cannot read is left out of all, and listed.
Differences are from the first. An interval is where 95 of 100 sets of as many other groups would be.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "compare", _EPILOG)
    add_labels(parser)
    parser.add_argument("--models", nargs="+", default=["cae-256"], metavar="MODEL", help="names or paths (default: cae-256)")
    parser.add_argument("--levels", nargs="+", type=level, default=[None], metavar="LEVEL", help="(default: the model's own)")
    parser.add_argument("--opensmile", nargs="*", metavar="SET", help="(default: eGeMAPSv02, where opensmile is installed)")
    parser.add_argument("--fractions", nargs="+", type=float, default=[], metavar="SHARE", help="of the labels: a curve")
    parser.add_argument("-o", "--output", metavar="OUT", help="a .csv, a picture (.png, .pdf, .svg) or a page (.html)")
    add_force(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the table, and write it."""
    check_packages()
    kind = ""
    if arguments.output:
        kind = Path(arguments.output).suffix.lower()
        if kind not in (".csv", ".html"):
            kind = figure_format(arguments.output)
        if not arguments.force:
            refuse_existing(arguments.output)
    with shown_progress() as progress:
        found = compare(
            arguments.labels,
            label=arguments.label,
            group=arguments.group,
            models=arguments.models,
            levels=arguments.levels,
            opensmile=arguments.opensmile,
            fractions=arguments.fractions,
            numeric=arguments.numeric,
            seconds=arguments.seconds,
            root=arguments.root,
            jobs=arguments.jobs,
            progress=progress,
        )
    if arguments.output:
        with whole_file(arguments.output, arguments.force) as file:
            if kind in (".csv", ".html"):
                file.write((_csv(found) if kind == ".csv" else _page(found)).encode())
            else:
                from edgevoice.heads.pictures import draw_comparison

                write_figure(draw_comparison(found), file, kind)
    if found.left_out:
        tell(f"{len(found.left_out)} rows are left out of all: {', '.join(name for name, _ in found.left_out[:10])}")
    show(_table(found))
    return 0


def _table(found: Comparison) -> str:
    rows = [["features", "numbers", "score", "interval", "difference", "interval"]]
    shares = list(found.found[0].curve)
    rows[0] += [f"{100 * share:g} %" for share in shares]
    for one in found.found:
        low, high = one.scores["interval"]
        row = [one.name, str(one.columns), f"{one.scores['value']:.3f}", f"{low:.3f} to {high:.3f}"]
        row += ["", ""] if one.difference is None else _difference(*one.difference)
        rows.append(row + [f"{one.curve[share][0]:.3f}" for share in shares])
    best = (min if found.found[0].scores["name"] == "mean absolute error" else max)(
        found.found, key=lambda one: one.scores["value"]
    )
    words = sentence(best.scores, found.seconds, found.column, found.group)
    head = f"{sum(found.pieces.values())} pieces of {found.groups} groups; score: {best.scores['name']}"
    return f"{head}\n{aligned(rows)}\n\nbest: {best.name}. {words}"


def _difference(value: float, interval: list[float]) -> list[str]:
    return [f"{value:+.3f}", f"{interval[0]:+.3f} to {interval[1]:+.3f}"]


def _csv(found: Comparison) -> str:
    text = io.StringIO()
    rows = found.rows()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _page(found: Comparison) -> str:
    from edgevoice.heads.pictures import comparison_page

    return comparison_page(found)
