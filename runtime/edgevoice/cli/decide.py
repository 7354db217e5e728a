"""`edgevoice decide`: what a head says of recordings."""

from __future__ import annotations

import argparse
import csv
import io
from contextlib import nullcontext
from typing import Any

from edgevoice.cli.console import standard_output, tell
from edgevoice.cli.options import Commands, add_force, parser_of, positive
from edgevoice.corpus.index import index_of_inputs
from edgevoice.corpus.run import results
from edgevoice.extraction import Reading
from edgevoice.extractor import load
from edgevoice.features import Frame
from edgevoice.files import refuse_existing, whole_file
from edgevoice.heads.head import Decision, Judge, load_head

_EPILOG = """\
examples:
  edgevoice decide recordings/ --head sex.onnx -o decisions.csv
  edgevoice stream --mic --head sex.onnx

One line per decision, every hop once the head's seconds have been heard: file, start, end (seconds), label, the probability
of every label, or the value. Nothing is decided where fewer than half of the frames are not silent.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "decide", _EPILOG)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="an audio file, or a folder with audio files")
    parser.add_argument("--head", required=True, metavar="HEAD.onnx", help="what `edgevoice fit` has written")
    parser.add_argument("-o", "--output", metavar="CSV", help="(default: standard output)")
    parser.add_argument("--root", metavar="DIR", help="the folder that files are named below")
    parser.add_argument("--model", metavar="MODEL", help="name or path (default: the one that the head was fitted with)")
    parser.add_argument("--jobs", type=positive, metavar="N", help="computations at the same time (default: all cores)")
    add_force(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the decisions; return 1 if some input failed."""
    head = load_head(arguments.head)
    if arguments.output and not arguments.force:
        refuse_existing(arguments.output)
    recipe: Any = head.recipe
    extractor = load(arguments.model or recipe.model, descriptors=recipe.descriptors)
    head.judge(extractor, level=recipe.level, hop=recipe.hop)  # an error before anything is computed
    index = index_of_inputs(arguments.inputs, arguments.root)
    reading = Reading(recipe.level, recipe.hop, recipe.channel, incomplete=recipe.incomplete)
    errors: list[Any] = [error for _, error in index.errors]
    rows = ((None, row) for row in index.rows)
    names = ["label", *(f"probability_{label}" for label in head.labels)] if head.labels else ["value"]
    with whole_file(arguments.output, arguments.force) if arguments.output else nullcontext(standard_output()) as file:
        file.write(_csv([["file", "start", "end", *names]]))
        for _, row, result in results(extractor, rows, reading, arguments.jobs or extractor.jobs):
            if result.failure:
                errors.append(result.failure.error)
            for _, features in result.parts:
                file.write(_csv([[row.file, *_cells(one)] for one in head.decide(features)]))
    for error in errors:
        tell(error)
    return 1 if errors else 0


def _cells(one: Decision) -> list[Any]:
    return [one.start, one.end, *([one.value] if one.label is None else [one.label, *one.probabilities.values()])]


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


class Decider:
    """Adds a decision, or null, to each line of `edgevoice stream`, and to the line of status."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._last: Decision | None = None

    def __call__(self, frame: Frame) -> dict[str, Any]:
        """What a line of JSON gets."""
        self._last = self._judge.push(frame)
        return {"decision": self._last and self._last.to_dict()}

    def text(self) -> str:
        """The last decision for a person."""
        said = self._last
        if said is None:
            return "-"
        if said.label is None:
            return f"{said.value:.3g}"
        return f"{said.label} {100 * said.probabilities[said.label]:.0f} %{' (gap)' * said.gap}"
