"""`edgevoice extract`: features of audio files as tables."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevoice.audio.paths import absolute
from edgevoice.cli.command import words_of
from edgevoice.cli.console import tell
from edgevoice.cli.inputs import add_inputs, read_inputs
from edgevoice.cli.nativeoutput import quiet_libraries
from edgevoice.cli.options import (
    Commands,
    add_force,
    add_model_options,
    add_window_options,
    load_extractor,
    parser_of,
    positive,
)
from edgevoice.cli.output import FORMATS, Output
from edgevoice.cli.progress import Progress
from edgevoice.corpus.index import Index, Row
from edgevoice.corpus.rows import Columns
from edgevoice.corpus.run import EACH, Failure, results
from edgevoice.errors import ArgumentError
from edgevoice.extraction import Reading
from edgevoice.features import Layout
from edgevoice.files import refuse_existing, whole_file
from edgevoice.levels import find_level
from edgevoice.modelfolder import find_model
from edgevoice.recipe import Recipe

if TYPE_CHECKING:
    from edgevoice.corpus.dataset import Dataset, Outcome, Part

_EPILOG = """\
examples:
  edgevoice extract speech.wav > frames.csv
  edgevoice extract recordings/ --static -o functionals.csv
  edgevoice extract recordings/ -o features/ --format npy
  edgevoice extract --index corpus.csv --static -o corpus.parquet/

OUT with a suffix is one table of all inputs (.csv, .npy, .npz, .parquet, .jsonl, .ark). Its recipe, the settings that
made it, is stored in it, or in a JSON file beside it. OUT without a suffix is a folder with a table for each file, at the
path of the file relative to the root. A table appears when it is complete; an existing one is replaced only with --force.
OUT `NAME.parquet/` is a dataset: a folder of parts that pandas, DuckDB and Arrow read as one table. The same command
resumes it, and recomputes what has changed; --shard divides the parts between machines.

An index is a CSV with a column `file` and, if needed, `start`, `end` (seconds; empty: the end of the file) and `channel`;
other columns are kept. The level begins at the start of a segment, as with `--start`: `running` and `utterance` then give
other numbers than for the same frames of the whole file; `window` does not. Inputs that failed are listed at the end.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "extract", _EPILOG)
    add_inputs(parser)
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="a table, a folder or a dataset (default: CSV on standard output)"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--dynamic", action="store_false", dest="static", help="one row per frame (default)")
    kind.add_argument("--static", action="store_true", help="one row per file: mean, std, skewness, kurtosis")
    parser.add_argument("--format", choices=FORMATS, help="of the tables (default: by OUT's suffix, or csv)")
    add_force(parser)
    parser.add_argument("--pad", action="store_true", help="pad audio shorter than one window with zeros")
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="how many computations run at the same time (default: all cores)",
    )
    parser.add_argument(
        "--failed", metavar="FILE", help="write failed inputs and the reasons to this CSV, which can be used as an index"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="make the parts of a dataset on a dask cluster, as tcp://host:8786; it sees the same folders",
    )
    parser.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="make only every Nth part of a dataset, beginning with part I (I from 1 to N)",
    )
    parser.add_argument("--retry-failed", action="store_true", help="make parts of a dataset again in which rows failed")
    add_window_options(parser, each=True)
    add_model_options(parser)
    parser.set_defaults(run=run, static=False)


def run(arguments: argparse.Namespace) -> int:
    """Write the requested tables; return 1 if some input failed."""
    output = Output(arguments.output, arguments.format, arguments.force)
    if not output.dataset and (arguments.shard or arguments.retry_failed):
        raise ArgumentError("--shard and --retry-failed are for datasets: -o NAME.parquet/")
    if arguments.scheduler and not output.dataset:
        raise ArgumentError("--scheduler is for datasets: -o NAME.parquet/")
    if arguments.scheduler and arguments.jobs:
        raise ArgumentError("--jobs: with --scheduler, the workers of the cluster say how much is computed at the same time")
    if arguments.failed and not arguments.force:
        refuse_existing(arguments.failed)
    reading = Reading(arguments.level, arguments.hop, arguments.channel, arguments.pad)
    config = find_model(arguments.model).config
    find_level(arguments.level, config.level)
    index = read_inputs(arguments)
    if index.has_channel and arguments.channel is not None:
        raise ArgumentError("--channel: the index has a column of that name; use one of them")
    columns = Columns.of_index(Layout.of(config, arguments.descriptors), arguments.static, index, reading.channel == EACH)

    def recipe(folder: Path, own: Sequence[Row] = ()) -> Recipe:
        made_by = Recipe.of(
            config,
            device=arguments.device,
            descriptors=arguments.descriptors,
            level=arguments.level,
            hop=arguments.hop,
            channel=arguments.channel,
            pad=arguments.pad,
        )
        return replace(made_by, static=arguments.static, command=words_of(arguments, folder, own))

    if index.unread:
        others = "1 other file was" if index.unread == 1 else f"{index.unread} other files were"
        tell(f"{others} not read: unknown suffix")
    with quiet_libraries():  # decoders print messages about files
        if output.dataset:
            failures = _dataset(arguments, index, columns, recipe, reading)
        else:
            failures = _tables(arguments, index, columns, recipe, reading, output)
    return 1 if failures or index.errors else 0


def _tables(
    arguments: argparse.Namespace, index: Index, columns: Columns, recipe: Any, reading: Reading, output: Output
) -> list[Failure]:
    """Write the tables; return the rows that failed."""
    rows = output.arrange(index.rows)
    extractor = load_extractor(arguments)
    jobs = arguments.jobs or extractor.jobs
    failures: list[Failure] = []
    with (
        _progress(arguments, rows) as progress,
        output,
        closing(results(extractor, ((None, row) for row in rows), reading, jobs, progress.begin, progress.seconds)) as found,
    ):
        count = _counted(progress)
        for _, row, result in found:
            for part, features in result.parts:
                output.write(part, features, columns, recipe)
            if result.failure:
                failures.append(result.failure)
            count(row, sum(len(features) for _, features in result.parts), result.failure is not None)
    _tell(index, failures)
    progress.close(len(index.errors))
    _write_failed(arguments, index, failures)
    return failures


def _dataset(arguments: argparse.Namespace, index: Index, columns: Columns, recipe: Any, reading: Reading) -> list[Failure]:
    """Make parts of a dataset; return the rows that failed."""
    from edgevoice.corpus.dataset import Dataset

    folder = Path(arguments.output)
    dataset = Dataset(folder, recipe(folder.parent), index, columns)
    parts = dataset.missing(arguments.shard, arguments.retry_failed)
    rows = [row for part in parts for row in part.rows]
    with _progress(arguments, rows) as progress:
        try:
            if arguments.scheduler and parts:
                outcome = _on_cluster(arguments, dataset, parts, reading, progress)
            else:
                # Where nothing is left to do, the model is not loaded.
                extractor: Any = load_extractor(arguments) if parts else None
                jobs = arguments.jobs or (extractor.jobs if parts else 1)
                outcome = dataset.run(parts, extractor, reading, jobs, progress.begin, progress.seconds, _counted(progress))
        except KeyboardInterrupt:
            left = len(dataset.missing(arguments.shard))
            tell(f"stopped; {len(dataset.parts)} parts in all; run the same command to make those that are missing ({left})")
            raise
    if outcome.removed:
        tell(f"removed {len(outcome.removed)} parts whose rows are no longer in the index: {', '.join(outcome.removed)}")
    _tell(index, outcome.failures)
    note = f"; {outcome.made} of {len(dataset.parts)} parts made" if parts else "; nothing to do"
    progress.close(len(index.errors), f"{note}, all are there" if outcome.complete else note)
    _write_failed(arguments, index, outcome.failures, dataset.failed_rows() if arguments.failed else None)
    return outcome.failures


def _on_cluster(
    arguments: argparse.Namespace, dataset: Dataset, parts: Sequence[Part], reading: Reading, progress: Progress
) -> Outcome:
    from edgevoice.corpus.cluster import Work, run_on_cluster

    named = find_model(arguments.model)
    model = str(named.path.resolve()) if Path(arguments.model).exists() else arguments.model
    work = Work(
        absolute(dataset.folder),
        model,
        arguments.device,
        arguments.threads,
        arguments.descriptors,
        reading,
        dataset.recipe,
        dataset.columns,
    )
    return run_on_cluster(dataset, parts, work, arguments.scheduler, _counted(progress), progress.seconds)


def _tell(index: Index, failures: Sequence[Failure]) -> None:
    for error in (*(error for _, error in index.errors), *(failure.error for failure in failures)):
        tell(error)


def _progress(arguments: argparse.Namespace, rows: Sequence[Row]) -> Progress:
    # A bar and a table on the same terminal would be drawn over each other.
    shown = arguments.output is not None or not (sys.stdout and sys.stdout.isatty())
    return Progress([row.file for row in rows], shown)


def _counted(progress: Progress) -> Callable[[Row, int, bool], object]:
    """Counts the rows of a corpus."""
    return lambda row, frames, failed: progress.row(row.file, frames, failed)


def _write_failed(
    arguments: argparse.Namespace, index: Index, failures: Sequence[Failure], rows: list[dict[str, Any]] | None = None
) -> None:
    """Write the CSV of rows that failed, which can be used as an index."""
    if not arguments.failed:
        return
    from edgevoice.corpus.run import failure_row

    own = [name for name, _ in index.columns if name != "reason"]
    inputs = [failure_row(Failure(Row(name, name), error), own) for name, error in index.errors]
    if rows is None:
        rows = [failure_row(failure, [name for name, _ in index.columns]) for failure in failures]
    channel = ["channel"] if index.has_channel else []
    names = ["file", "start", "end", *channel, "reason", *own]
    with whole_file(arguments.failed) as file:
        cells: list[list[Any]] = [names, *([row.get(name) for name in names] for row in (*inputs, *rows))]
        for line in cells:
            text = _Line()
            csv.writer(text, lineterminator="\n").writerow(line)
            file.write(text.text.encode("utf-8", "surrogateescape"))


class _Line:
    """A file-like object that receives lines of CSV."""

    text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)


def _shard(text: str) -> Any:
    number, _, count = text.partition("/")
    try:
        shard = positive(number), positive(count)
    except argparse.ArgumentTypeError:
        shard = (1, 0)
    if shard[0] > shard[1]:
        raise argparse.ArgumentTypeError(f"{text!r}: expected I/N, as 1/4 to 4/4")
    from edgevoice.corpus.dataset import Shard

    return Shard(*shard)
