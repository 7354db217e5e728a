"""`edgevoice fit`: a head from labelled recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from edgevoice.cli.console import aligned, bar, show, tell
from edgevoice.cli.options import (
    ModelOptions,
    WindowOptions,
    check_places,
    command,
    force_option,
    jobs_option,
    option,
)
from edgevoice.errors import ArgumentError
from edgevoice.files import whole_file
from edgevoice.heads.fitting import draw_confusion, fit
from edgevoice.heads.head import Head
from edgevoice.plotting.figurefile import figure_format, write_figure

_EPILOG = """\
examples:
  edgevoice fit utterances.csv --label sex --group speaker -o sex.onnx
  edgevoice fit utterances.csv --label age --numeric --group speaker -o age.onnx
  edgevoice stream --mic --head sex.onnx

LABELS.csv is an index: a column `file`, where needed `start` and `end`, and columns of your own. The head learns from
pieces of --seconds, and its scores are of groups that it was not fitted on. Frames are kept for the next label.
"""


@dataclass(frozen=True, slots=True)
class Labels:
    """Labelled recordings, and what a decision is about: arguments of `fit` and `compare`."""

    labels: str = option("labels", metavar="LABELS.csv", help="an index with labels and groups")
    label: str = option(required=True, metavar="COLUMN", help="what is learnt")
    group: str = option(required=True, metavar="COLUMN", help="what belongs together, as the speaker")
    numeric: bool = option(default=False, help="the labels are numbers, as an age")
    seconds: float = option(type=float, default=2.0, metavar="S", help="audio of one decision (default: 2)")
    root: str | None = option(metavar="DIR", help="the folder that files are in (default: that of the CSV)")
    jobs: int | None = jobs_option()


@dataclass(frozen=True, slots=True)
class Fit:
    """What is learnt from, and where the head goes to."""

    labels: Labels
    model: ModelOptions
    windows: WindowOptions
    output: str = option("-o", required=True, metavar="HEAD.onnx", help="the file to write")
    plot: str | None = option(metavar="PNG", help="draw the confusion matrix (.png, .pdf, .svg)")
    features: str | None = option(metavar="NAME.parquet/", help="where frames are kept (default: the user's cache)")
    force: bool = force_option()


def run(asked: Fit) -> int:
    """Fit, and print the scores; the last line says them in words."""
    if not asked.output.lower().endswith(".onnx"):
        raise ArgumentError(f"{asked.output}: expected a name that ends in .onnx")
    if asked.plot and asked.labels.numeric:
        raise ArgumentError("--plot: draws a confusion matrix, which numbers do not have")
    kind = figure_format(asked.plot) if asked.plot else ""
    check_places([asked.output, asked.plot], [asked.labels.labels], asked.force)
    with shown_progress() as progress:
        options = {**asdict(asked.labels), **asdict(asked.windows), "features": asked.features, "progress": progress}
        head = fit(model=asked.model.load(), **options)
    with whole_file(asked.output, asked.force) as file:
        file.write(head.data)
    if asked.plot:
        with whole_file(asked.plot, asked.force) as file:
            write_figure(draw_confusion(head), file, kind, head.recipe)
    show(_report(head))
    return 0


def _report(head: Head) -> str:
    """The scores of a head as lines, the last one in words."""
    about, scores = head.about, head.scores
    pieces = sum(about["counts"].values())
    lines = [f"{pieces} pieces of {head.seconds:g} s, {about['recordings']} recordings, {about['groups']} groups"]
    rows = [(scores["name"], *_range(scores, "value", "interval"), f"chance {scores['chance']:.3f}")]
    if head.labels:
        rows.append(("macro F1", *_range(scores, "f1", "f1_interval"), ""))
        rows.append(("accuracy", *_range(scores, "accuracy", "accuracy_interval"), f"majority {scores['majority']:.3f}"))
        rows.append(("error of calibration", f"{scores['calibration']:.3f}", "", ""))
        cells = [("", *head.labels)]
        cells += [(name, *map(str, row)) for name, row in zip(head.labels, scores["confusion"], strict=True)]
        lines += [aligned(rows), "", "confusion matrix: truth down, said across", aligned(cells)]
    else:
        lines.append(aligned([*rows, ("correlation", *_range(scores, "correlation", "correlation_interval"), "")]))
    return "\n".join([*lines, "", head.sentence])


def _range(scores: dict[str, Any], key: str, interval: str) -> tuple[str, str]:
    low, high = scores[interval]
    return f"{scores[key]:.3f}", f"({low:.3f} to {high:.3f})"


@contextmanager
def shown_progress() -> Iterator[Callable[[int, int], object]]:
    """Show how many recordings are done: a bar on a terminal, otherwise a line every hundred."""
    with bar(unit="file", delay=0.5) as shown:

        def update(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)
            if shown.disable and done % 100 == 0:
                tell(f"{done} of {total} recordings")

        yield update


add = command("fit", Fit, run, _EPILOG)
