"""`edgevoice extract`: features of audio files as tables."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgevoice.cli import options
from edgevoice.cli.console import Progress, quiet_libraries, standard_output, tell
from edgevoice.corpus.cluster import run_on_cluster
from edgevoice.corpus.dataset import Dataset
from edgevoice.corpus.index import Failure, Index, Row
from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.corpus.run import failure_row, results
from edgevoice.errors import ArgumentError, OutputError
from edgevoice.features import Features, Layout
from edgevoice.files import whole_file, writing
from edgevoice.levels import find_level
from edgevoice.modelfolder import find_model
from edgevoice.recipe import Recipe
from edgevoice.tables.csvfile import CSV, csv_of
from edgevoice.tables.table import FORMATS, Write, files_of, find_format, open_table, table_format

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
    output = _Output(asked.output, asked.format, asked.force)
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
    recipe = Recipe.of(config, asked.reading, model.device, model.descriptors)
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


class _Output:
    """The requested destination: one table on standard output or in a file, one table per file in a folder, or a dataset.

    `path` and `kind` are what -o and --format say. A table is begun with the first features: where all fail, none appears.
    """

    def __init__(self, path: str | None, kind: str | None, force: bool) -> None:
        if path == "":
            raise ArgumentError("output '': expected the name of a table or a folder")
        self.path, self._force = None if path == "-" else path, force
        self._kind = kind or "csv"
        place = Path(path or "-")
        is_folder = self.path is not None and (self.path.endswith(("/", os.sep)) or place.is_dir())
        self.dataset = is_folder and place.suffix.lower() == ".parquet"
        self.folder = self.path is not None and not self.dataset and (is_folder or not place.suffix)
        if self.path is None and self._kind != "csv":
            raise ArgumentError(f"format {kind}: only csv goes to standard output; name a file with -o")
        if self.folder and place.exists() and not place.is_dir():
            raise OutputError(f"{path}: cannot be written (a file is there: expected a folder, or the name of a table)")
        if self.path is not None and not self.folder:
            self._kind = table_format(place)
            if kind not in (None, self._kind):
                raise ArgumentError(f"{path}: its suffix says {self._kind}, --format says {kind}")
        find_format(self._kind)
        self.stack = ExitStack()
        self._write: Write | None = None
        self._place: Path | None = None
        self._complete = 0

    def arrange(self, rows: Sequence[Row]) -> tuple[Sequence[Row], list[Path]]:
        """The rows in the order of writing, and the tables: where each file has its own table, its rows come together."""
        if self.path is None or self.dataset:
            return rows, []
        if not self.folder:
            return rows, [Path(self.path)]
        # Names that differ in case only are one file on most disks of Windows and macOS.
        files: dict[str, str] = {}
        for row in rows:
            place = self._table_of(row.file)
            other = files.setdefault(str(place).casefold(), row.file)
            if other != row.file:
                raise ArgumentError(
                    f"{other} and {row.file} would both be written to {place}: write one table (-o NAME.csv), or rename one"
                )
        order = {file: k for k, file in enumerate(files.values())}
        return sorted(rows, key=lambda row: order[row.file]), [self._table_of(file) for file in order]

    def refused(self, row: Row) -> OutputError | None:
        """Why the row's own table cannot have its name, or one of the files beside it; None where they can."""
        if not self.folder or self.path is None:
            return None
        try:
            with writing(self.path):
                there = next(place for place in (Path(self.path), *Path(self.path).absolute().parents) if place.exists())
            for file in files_of(self._table_of(row.file)):
                with writing(str(file)), suppress(FileNotFoundError):
                    os.lstat(there / file.name)
        except OutputError as error:
            return error
        return None

    def kept(self) -> str:
        """What there is of tables whose making was stopped, and how to go on."""
        if self.path is None:
            return "their rows are on standard output; run the same command to make all of them"
        if self.folder:
            there = "1 table is" if self._complete == 1 else f"{self._complete} tables are"
            return f"{there} complete; the same command with --force makes all again, a dataset (-o NAME.parquet/) goes on"
        return "nothing was written; run the same command again, or make a dataset (-o NAME.parquet/), which goes on"

    def write(self, row: Row, features: Features, columns: Columns, recipe: Recipe) -> None:
        """Write the features of one row."""
        place = self._table_of(row.file) if self.folder else Path(self.path or "")
        if self._write is None or place != self._place:
            self.stack.close()
            self._complete += self._write is not None
            self._place = place
            if self.path is not None:
                self._write = self.stack.enter_context(open_table(place, columns, recipe, replace=self._force))
            else:
                self._write = self.stack.enter_context(CSV.write([standard_output()], columns, None, ""))
        self._write(TableRows(row, features, columns))

    def _table_of(self, file: str) -> Path:
        place = Path(os.path.normpath(file))
        if place.is_absolute() or place.parts[:1] == ("..",):
            raise ArgumentError(
                f"{file}: is not below the root, so its table has no place: give a folder above it with --root"
            )
        return Path(self.path or "", place.with_suffix("").with_name(f"{place.with_suffix('').name}.{self._kind}"))


def _make_tables(
    asked: Extract, index: Index, rows: Sequence[Row], columns: Columns, recipe: Recipe, output: _Output
) -> bool:
    """Write the tables; return whether a row failed."""
    extractor = asked.model.load()
    refused = [Failure(row, error) for row in rows if (error := output.refused(row))]
    failures, there = refused[:], {row for row, _ in refused}
    rows = [row for row in rows if row not in there]
    with _progress(rows, output.path is not None) as progress:
        progress.kept = output.kept
        jobs = asked.jobs or extractor.jobs
        with (
            output.stack,
            closing(results(extractor, [rows], asked.reading, jobs, progress.begin, progress.seconds)) as found,
        ):
            for result in found:
                for row, features in result.parts:
                    output.write(row, features, columns, recipe)
                if result.error:
                    failures.append(Failure(result.row, result.error))
                progress.row(result.row, result.frames, result.error is not None)
    for failure in (*index.errors, *failures):
        tell(failure.error)
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
        if not parts:  # then the model is not loaded
            outcome = dataset.tidy(parts)
        elif asked.scheduler:
            model, threads = find_model(asked.model.model), asked.model.threads
            outcome = run_on_cluster(dataset, parts, model, asked.scheduler, threads, progress.row, progress.seconds)
        else:
            extractor = asked.model.load()
            jobs = asked.jobs or extractor.jobs
            outcome = dataset.run(parts, extractor, asked.reading, jobs, progress.begin, progress.seconds, progress.row)
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
