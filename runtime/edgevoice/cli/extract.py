"""`edgevoice extract`: features of audio files as tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgevoice.cli import options
from edgevoice.cli.console import Progress, quiet_libraries, tell
from edgevoice.cli.output import Output
from edgevoice.corpus.cluster import run_on_cluster
from edgevoice.corpus.dataset import Dataset
from edgevoice.corpus.index import Failure, Index, Row
from edgevoice.corpus.rows import Columns
from edgevoice.corpus.run import failure_row, results
from edgevoice.errors import ArgumentError
from edgevoice.features import Layout
from edgevoice.files import whole_file
from edgevoice.levels import find_level
from edgevoice.modelfolder import find_model
from edgevoice.recipe import Recipe
from edgevoice.tables.csvfile import csv_of
from edgevoice.tables.table import FORMATS

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
resumes it, and computes what is new or changed; --shard divides the parts between machines, --prune removes what the index
no longer has.

An index is a CSV with a column `file` and, if needed, `start`, `end` (seconds; empty: the end of the file) and `channel`;
other columns are kept. The level begins at the start of a segment, as with `--start`: `running` and `utterance` then give
other numbers than for the same frames of the whole file; `window` does not. Inputs that failed are listed at the end.
"""


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    with suppress(argparse.ArgumentTypeError):
        if options.positive(number) <= options.positive(count):
            return options.positive(number), options.positive(count)
    raise argparse.ArgumentTypeError(f"{text!r}: expected I/N, as 1/4 to 4/4")


_dataset = partial(options.option, group="datasets")


@dataclass(frozen=True, slots=True)
class Extract:
    """What is read, how, and where it goes to."""

    inputs: options.Inputs
    model: options.ModelOptions
    reading: options.ReadingOptions
    static: bool = options.option(default=False, help="one row per file: mean, std, skewness, kurtosis")
    dynamic: bool = options.option(default=False, help="one row per frame (default)")
    output: str | None = options.option(
        "-o", metavar="OUT", help="a table, a folder or a dataset (default, and -: CSV on standard output)"
    )
    format: str | None = options.option(choices=FORMATS, help="of the tables (default: by OUT's suffix, or csv)")
    jobs: int | None = options.jobs_option()
    force: bool = options.force_option()
    failed: str | None = options.option(
        metavar="FILE", help="write failed inputs and the reasons to this CSV, which can be used as an index"
    )
    scheduler: str | None = _dataset(
        metavar="ADDRESS", help="make the parts on a dask cluster, as tcp://host:8786; it sees the same folders"
    )
    shard: tuple[int, int] | None = _dataset(
        type=_shard, metavar="I/N", help="make only every Nth part, beginning with part I (I from 1 to N)"
    )
    retry_failed: bool = _dataset(default=False, help="make parts again in which rows failed")
    prune: bool = _dataset(default=False, help="remove parts with rows that the index no longer has")


def run(asked: Extract) -> int:
    """Write the requested tables; return 1 if some input failed."""
    output = Output(asked.output, asked.format, asked.force)
    if asked.static and asked.dynamic:
        raise ArgumentError("--static, --dynamic: choose one")
    only = ("shard", "retry_failed", "scheduler", "prune")
    given = [f"--{name.replace('_', '-')}" for name in only if getattr(asked, name)]
    if given and not output.dataset:
        raise ArgumentError(f"{', '.join(given)}: only for datasets, -o NAME.parquet/")
    if asked.scheduler and asked.jobs:
        raise ArgumentError("--jobs: with --scheduler, the cluster says how much is computed at the same time")
    config = find_model(asked.model.model).config
    find_level(asked.reading.level, config.level)
    index = asked.inputs.read()
    rows, tables = output.arrange(index.rows)
    options.check_places([asked.failed], asked.inputs.files(index), asked.force, tables)
    layout = Layout.of(config, asked.model.descriptors)
    columns = Columns.of_index(layout, asked.static, index, asked.reading.channel)
    model = asked.model
    recipe = Recipe.of(config, device=model.device, descriptors=model.descriptors, **asdict(asked.reading))
    recipe = replace(recipe, static=asked.static)
    if index.unread:
        others = "1 other file was" if index.unread == 1 else f"{index.unread} other files were"
        tell(f"{others} not read: unknown suffix")
    if index.columns:
        tell(f"columns of the index that are kept, behind the numbers: {', '.join(name for name, _ in index.columns)}")
    with quiet_libraries():  # decoders print messages about files
        if output.dataset:
            failed = _make_dataset(asked, index, columns, recipe)
        else:
            failed = _make_tables(asked, index, rows, columns, recipe, output)
    return 1 if failed or index.errors else 0


def _make_tables(
    asked: Extract, index: Index, rows: Sequence[Row], columns: Columns, recipe: Recipe, output: Output
) -> bool:
    """Write the tables; return whether a row failed."""
    extractor = asked.model.load()
    refused = [Failure(row, error) for row in rows if (error := output.refused(row))]
    failures, there = refused[:], {row for row, _ in refused}
    rows = [row for row in rows if row not in there]
    with _progress(rows, output.path is not None) as progress:
        progress.kept = output.kept
        jobs = asked.jobs or extractor.jobs
        with output, closing(results(extractor, [rows], asked.reading, jobs, progress.begin, progress.seconds)) as found:
            for result in found:
                for row, features in result.parts:
                    output.write(row, features, columns, recipe)
                if result.error:
                    failures.append(Failure(result.row, result.error))
                progress.row(result.row.file, result.frames, result.error is not None)
    for _, error in (*index.errors, *failures):
        tell(error)
    progress.close(len(index.errors) + len(refused))
    _write_failed(asked, index, [failure_row(row, error, dict(index.columns)) for row, error in failures])
    return bool(failures)


def _make_dataset(asked: Extract, index: Index, columns: Columns, recipe: Recipe) -> bool:
    """Make parts of a dataset; return whether a row has failed, in this run or an earlier one."""
    dataset = Dataset(Path(asked.output or ""), recipe, index, columns, asked.prune)
    parts = dataset.missing(asked.shard, asked.retry_failed)

    def kept() -> str:
        left = len(dataset.missing(asked.shard))
        return f"{left} of {len(dataset.parts)} parts are missing, and begun ones are kept: run the same command to go on"

    with _progress([row for part in parts for row in part.rows], True) as progress:
        progress.kept = kept

        def done(row: Row, frames: int, failed: bool) -> None:
            progress.row(row.file, frames, failed)

        if asked.scheduler and parts:
            model, threads = find_model(asked.model.model), asked.model.threads
            outcome = run_on_cluster(dataset, parts, model, asked.scheduler, threads, done, progress.seconds)
        else:
            # Where nothing is left to do, the model is not loaded.
            extractor: Any = asked.model.load() if parts else None
            jobs = asked.jobs or (extractor.jobs if parts else 1)
            outcome = dataset.run(parts, extractor, asked.reading, jobs, progress.begin, progress.seconds, done)
    if outcome.removed:
        tell(f"removed {len(outcome.removed)} parts whose rows are no longer in the index: {', '.join(outcome.removed)}")
    for message in (*(error for _, error in index.errors), *(f"{row['file']}: {row['reason']}" for row in outcome.failed)):
        tell(message)
    failed = dataset.failed_rows()
    if earlier := max(0, len(failed) - len(outcome.failed)):
        tell(f"{earlier} row{'s' if earlier > 1 else ''} failed earlier: --retry-failed tries again")
    note = f"; {outcome.made} of {len(dataset.parts)} parts made" if parts else "; nothing to do"
    progress.close(len(index.errors) + earlier, f"{note}, all are there" if outcome.complete else note)
    _write_failed(asked, index, failed)
    return bool(failed or outcome.failed)


def _progress(rows: Sequence[Row], to_file: bool) -> Progress:
    # A bar and a table on the same terminal would be drawn over each other.
    return Progress([row.file for row in rows], to_file or not (sys.stdout and sys.stdout.isatty()))


def _write_failed(asked: Extract, index: Index, rows: Sequence[dict[str, Any]]) -> None:
    """Write the CSV of rows that failed, which can be used as an index."""
    if not asked.failed:
        return
    names = ["file", "start", "end", *["channel"] * index.has_channel, "reason"]
    names += [name for name, _ in index.columns if name != "reason"]
    earlier = [failure_row(*failure) for failure in index.errors]
    with whole_file(asked.failed, asked.force) as file:
        file.write(csv_of([names, *([row.get(name) for name in names] for row in (*earlier, *rows))]))


add = options.command("extract", Extract, run, _EPILOG)
