"""`edgevoice compare`: what models, levels and openSMILE's sets are worth on the user's own labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from edgevoice.cli.console import aligned, show, tell
from edgevoice.cli.fit import Labels, shown_progress
from edgevoice.cli.options import check_places, command, force_option, level, option
from edgevoice.files import whole_file
from edgevoice.heads.comparing import Comparison, compare, comparison_page, draw_comparison
from edgevoice.heads.judging import sentence
from edgevoice.plotting.figurefile import figure_format, write_figure
from edgevoice.tables.csvfile import csv_of

_EPILOG = """\
examples:
  edgevoice compare utterances.csv --label sex --group speaker --models cae-256 cae-64
  edgevoice compare utterances.csv --label sex --group speaker --fractions 0.1 0.3 1 -o sex.html

All are judged on the same pieces and the same held-out groups; what one of them cannot read is left out of all, and listed.
Differences are from the first. An interval is where 95 of 100 sets of as many other groups would be.
"""


@dataclass(frozen=True, slots=True)
class Compare:
    """What is compared, on which labels."""

    labels: Labels
    models: tuple[str, ...] = option(
        nargs="+", default=("cae-256",), metavar="MODEL", help="names or paths (default: cae-256)"
    )
    levels: tuple[str | float | None, ...] = option(
        nargs="+", type=level, default=(None,), metavar="LEVEL", help="(default: the model's own)"
    )
    opensmile: tuple[str, ...] | None = option(
        nargs="*", metavar="SET", help="(default: eGeMAPSv02, where opensmile is installed)"
    )
    fractions: tuple[float, ...] = option(nargs="+", type=float, default=(), metavar="SHARE", help="of the labels: a curve")
    output: str | None = option("-o", metavar="OUT", help="a .csv, a picture (.png, .pdf, .svg) or a page (.html)")
    force: bool = force_option()


def run(asked: Compare) -> int:
    """Compare, print the table, and write it."""
    kind = Path(asked.output).suffix.lower() if asked.output else ""
    if asked.output and kind != ".csv":
        picture = figure_format("page.png" if kind == ".html" else asked.output, "csv", "html")
    check_places([asked.output], [asked.labels.labels], asked.force)
    with shown_progress() as progress:
        options = {**asdict(asked.labels), "levels": asked.levels, "fractions": asked.fractions, "progress": progress}
        found = compare(models=asked.models, opensmile=asked.opensmile, **options)
    lines = _lines(found)
    if asked.output:
        with whole_file(asked.output, asked.force) as file:
            if kind == ".csv":
                rows = found.rows()
                file.write(csv_of([list(rows[0]), *(list(row.values()) for row in rows)]))
            elif kind == ".html":
                file.write(comparison_page(found, lines).encode(errors="replace"))
            else:
                write_figure(draw_comparison(found), file, picture)
    if found.left_out:
        tell(f"{len(found.left_out)} rows are left out of all: {', '.join(name for name, _ in found.left_out[:10])}")
    show("\n".join(lines))
    return 0


def _lines(found: Comparison) -> list[str]:
    first = found.found[0]
    rows = [["features", "numbers", "score", "interval", "difference", "interval"]]
    rows[0] += [f"{100 * share:g} %" for share in first.curve]
    for one in found.found:
        low, high = one.scores["interval"]
        row = [one.name, str(one.columns), f"{one.scores['value']:.3f}", f"{low:.3f} to {high:.3f}", "", ""]
        if one.difference is not None:
            value, (low, high) = one.difference
            row[-2:] = [f"{value:+.3f}", f"{low:+.3f} to {high:+.3f}"]
        rows.append([*row, *(f"{mean:.3f}" for mean, _ in one.curve.values())])
    sign = -1 if first.scores["name"] == "mean absolute error" else 1
    best = max(found.found, key=lambda one: sign * one.scores["value"])
    words = sentence(best.scores, found.seconds, found.column, found.group)
    head = f"{sum(found.pieces.values())} pieces of {found.groups} groups; score: {first.scores['name']}"
    return [head, aligned(rows), "", f"best: {best.name}. {words}"]


add = command("compare", Compare, run, _EPILOG)
