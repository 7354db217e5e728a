"""The destination of the tables that `edgevoice extract` writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from edgevoice.cli.console import standard_output
from edgevoice.corpus.index import Row
from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.errors import ArgumentError, OutputError
from edgevoice.features import Features
from edgevoice.files import writing
from edgevoice.recipe import Recipe
from edgevoice.tables.csvfile import CsvTable
from edgevoice.tables.table import Table, files_of, open_table, table_format, table_kind


class Output:
    """The requested destination: one table on standard output or in a file, one table per file in a folder, or a dataset.

    A table is begun with the first features: where all fail, none appears.

    Args:
        path: None and `-` are standard output; `NAME.parquet/`, or a folder of such a name, a dataset; one with another
            suffix a file, any other a folder.
        kind: name of the format; None takes the suffix, or CSV.
        force: whether tables that are there may be replaced.

    Raises:
        ArgumentError: there is no such format, or it contradicts the suffix.
        MissingPackageError: a package that the format needs is not installed.
        OutputError: something else is where a folder should be.
    """

    def __init__(self, path: str | None, kind: str | None, force: bool) -> None:
        if path == "":
            raise ArgumentError("output '': expected the name of a table or a folder")
        self.path, self._force = None if path == "-" else path, force
        self._kind = kind or "csv"
        place = Path(path or "-")
        is_folder = self.path is not None and (self.path.endswith(("/", os.sep)) or place.is_dir())
        self.dataset = is_folder and place.suffix.lower() == ".parquet"
        """Whether the destination is a dataset."""
        self.folder = self.path is not None and not self.dataset and (is_folder or not place.suffix)
        """Whether the destination is a folder of tables."""
        if self.path is None and self._kind != "csv":
            raise ArgumentError(f"format {kind}: only csv goes to standard output; name a file with -o")
        if self.folder and place.exists() and not place.is_dir():
            raise OutputError(f"{path}: cannot be written (is not a folder, and its suffix is not that of a table)")
        if self.path is not None and not self.folder:
            self._kind = table_format(place)
            if kind not in (None, self._kind):
                raise ArgumentError(f"{path}: its suffix says {self._kind}, --format says {kind}")
        table_kind(self._kind)
        self._stack = ExitStack()
        self._table: Table | None = None
        self._place: Path | None = None
        self._complete = 0

    def arrange(self, rows: Sequence[Row]) -> tuple[Sequence[Row], list[Path]]:
        """The rows in the order of writing, and the tables: where each file has its own table, its rows come together.

        Raises:
            ArgumentError: two files would have the same table, or a file is not below the root.
        """
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
        there = next(place for place in (Path(self.path), *Path(self.path).absolute().parents) if place.exists())
        for file in files_of(self._table_of(row.file)):
            try:
                os.lstat(there / file.name)
            except FileNotFoundError:
                continue
            except OSError as error:
                return OutputError(f"{file}: cannot be written ({error.strerror})")
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
        """Write the features of one row.

        Raises:
            OutputError: it cannot be written.
        """
        place = self._table_of(row.file) if self.folder else Path(self.path or "")
        if self._table is None or place != self._place:
            self._stack.close()
            self._complete += self._table is not None
            self._stack, self._place = ExitStack(), place
            if self.path is not None:
                self._table = self._stack.enter_context(open_table(place, columns, recipe, replace=self._force))
            else:
                self._stack.enter_context(writing("standard output"))
                self._table = CsvTable(standard_output(), columns, None, "")
        self._table.write(TableRows(row, features, columns))

    def _table_of(self, file: str) -> Path:
        place = Path(os.path.normpath(file))
        if place.is_absolute() or place.parts[:1] == ("..",):
            raise ArgumentError(
                f"{file}: is not below the root, so its table has no place: give a folder above it with --root"
            )
        return Path(self.path or "", place.with_suffix("").with_name(f"{place.with_suffix('').name}.{self._kind}"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)
