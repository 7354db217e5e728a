"""`edgevoice decide`: what a head says of recordings."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from edgevoice.cli.console import quiet_libraries, standard_output, tell
from edgevoice.cli.options import (
    Inputs,
    WindowOptions,
    check_places,
    command,
    force_option,
    jobs_option,
    option,
)
from edgevoice.corpus.run import results
from edgevoice.errors import ArgumentError, ModelNotFoundError
from edgevoice.extractor import Extractor, load
from edgevoice.features import Frame
from edgevoice.files import whole_file
from edgevoice.heads.head import Decision, Head, load_head
from edgevoice.modelfolder import find_model
from edgevoice.recipe import Reading
from edgevoice.tables.csvfile import csv_of

_EPILOG = """\
examples:
  edgevoice decide recordings/ --head sex.onnx -o decisions.csv
  edgevoice stream --mic --head sex.onnx

One line per decision, every hop once the head's seconds have been heard: file, start, end (seconds), label, the probability
of every label, or the value. Nothing is decided where fewer than half of the frames are not silent.
"""


@dataclass(frozen=True, slots=True)
class Decide:
    """What is judged, by which head."""

    inputs: Inputs
    head: str = option(required=True, metavar="HEAD.onnx", help="what `edgevoice fit` has written")
    output: str | None = option("-o", metavar="CSV", help="(default: standard output)")
    model: str | None = option(metavar="MODEL", help="name or path (default: the one that the head was fitted with)")
    jobs: int | None = jobs_option()
    force: bool = force_option()


def run(asked: Decide) -> int:
    """Write the decisions; return 1 if some input failed."""
    head = load_head(asked.head)
    recipe: Any = head.recipe
    extractor = load(asked.model or model_of(head), descriptors=recipe.descriptors)
    head.judge(extractor, level=recipe.level, hop=recipe.hop)  # an error before anything is computed
    index = asked.inputs.read()
    check_places([asked.output], [asked.head, *asked.inputs.files(index)], asked.force)
    reading = Reading(recipe.level, recipe.hop, recipe.channel, incomplete=recipe.incomplete)
    errors, undecided = [error for _, error in index.errors], []
    names = ["label", *(f"probability_{label}" for label in head.labels)] if head.labels else ["value"]
    to_file = asked.output not in (None, "-")
    if to_file and not str(asked.output).lower().endswith(".csv"):
        raise ArgumentError(f"{asked.output}: expected a name that ends in .csv")
    opened = whole_file(asked.output or "", asked.force) if to_file else nullcontext(standard_output())
    with quiet_libraries(), opened as file:
        file.write(csv_of([["file", "start", "end", *names]]))
        for result in results(extractor, [index.rows], reading, asked.jobs or extractor.jobs):
            if result.error:
                errors.append(result.error)
            for row, features in result.parts:
                decisions = head.decide(features)
                undecided += [] if decisions else [row.file]
                for one in decisions:
                    said = [one.value] if one.label is None else [one.label, *one.probabilities.values()]
                    file.write(csv_of([[row.file, one.start, one.end, *said]]))
    for error in errors:
        tell(error)
    if undecided:
        tell(f"{len(undecided)} have no decision: they have less than {head.seconds:g} s, or are silent, as {undecided[0]}")
    return 1 if errors else 0


def model_of(head: Head) -> str:
    """The name of the model that a head was fitted with, which is there."""
    try:
        find_model(head.recipe.model)
    except ModelNotFoundError as error:
        raise ModelNotFoundError(
            f"{head.name}: was fitted with {head.recipe.model}: say where it is (--model): {error}"
        ) from error
    return head.recipe.model


class Decider:
    """Adds a decision, or null, to each line of `edgevoice stream`, and to the line of status; nothing without a head."""

    def __init__(self, head: str | None, extractor: Extractor, windows: WindowOptions) -> None:
        level, hop = windows.level, windows.hop
        self._judge = None if head is None else load_head(head).judge(extractor, level=level, hop=hop)
        self._last: Decision | None = None

    def __call__(self, frame: Frame) -> dict[str, Any]:
        """What a line of JSON gets."""
        if self._judge is None:
            return {}
        self._last = self._judge.push(frame)
        return {"decision": self._last and self._last.to_dict()}

    def text(self) -> str:
        """The last decision for a person."""
        said = self._last
        if said is None:
            return "listening  " if self._judge else ""
        share = f"{said.value:.3g}" if said.label is None else f"{said.label} {100 * said.probabilities[said.label]:.0f} %"
        return f"{share}{' (samples lost)' * said.gap}  "


add = command("decide", Decide, run, _EPILOG)
