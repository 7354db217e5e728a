"""Where `edgevoice extract` puts its tables."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from edgevoice.cli.console import standard_output
from edgevoice.cli.inputs import Inputs
from edgevoice.errors import ArgumentError, OutputError
from edgevoice.features import Features
from edgevoice.files.wholefile import refuse_existing, writing
from edgevoice.tables.csvfile import CsvTable
from edgevoice.tables.table import Table, open_table, table_format


class Output:
    """Tables of features: one on standard output, one in a file, or one a source in a folder. A context.

    The table of all sources is begun with the first of them: where all fail, no table appears.

    Args:
        path: None is standard output, a path with a suffix a file, any other a folder.
        kind: name of the format; None takes the suffix, or CSV.
        static: one row a source in place of one row a frame.
        replace: whether tables that are there are replaced.

    Raises:
        ArgumentError: there is no such format, or it contradicts the suffix.
        OutputError: something else is where a folder should be, or a table is there that is not to be replaced.
    """

    def __init__(self, path: str | None, kind: str | None, static: bool, replace: bool = False) -> None:
        if path == "":
            raise ArgumentError("output '': expected the name of a table or a folder")
        self._path, self._static, self._replace = path, static, replace
        self._folder = path is not None and _is_folder(path)
        self._kind = kind or "csv"
        if path is None and self._kind != "csv":
            raise ArgumentError(f"format {kind}: only csv goes to standard output; name a file with -o")
        if path is not None and self._folder and Path(path).exists() and not Path(path).is_dir():
            raise OutputError(f"{path}: cannot be written (is no folder, and has not the suffix of a table)")
        if path is not None and not self._folder:
            self._kind = table_format(path)
            if kind not in (None, self._kind):
                raise ArgumentError(f"{path}: its suffix says {self._kind}, --format says {kind}")
            if not replace:
                refuse_existing(path)
        self._stack = ExitStack()
        self._table: Table | None = None

    def check(self, inputs: Inputs) -> None:
        """See before anything is computed that each input can have a table of its own, where each is to have one.

        Raises:
            ArgumentError: an input is not below its root, or two would have the same table.
            OutputError: a table is there that is not to be replaced.
        """
        if self._path is None or not self._folder:
            return
        for place in inputs.tables().values():
            if not self._replace:
                refuse_existing(self._place(place))

    def _place(self, place: Path) -> Path:
        return Path(self._path or "", place.with_name(f"{place.name}.{self._kind}"))

    def write(self, source: str, place: Path, features: Features) -> None:
        """Add the features of one source.

        Args:
            source: what it is called in the table.
            place: its path below the root, which decides where its table lies, where each has its own.
            features: its features.

        Raises:
            OutputError: it cannot be written.
        """
        if self._path is not None and self._folder:
            path = self._place(place.with_suffix(""))
            with open_table(path, features.layout, self._static, replace=self._replace) as table:
                table.write(source, features)
            return
        if self._table is None:
            self._table = self._begin(features)
        self._table.write(source, features)

    def _begin(self, features: Features) -> Table:
        if self._path is not None:
            return self._stack.enter_context(open_table(self._path, features.layout, self._static, replace=self._replace))
        self._stack.enter_context(writing("standard output"))
        return CsvTable(standard_output(), features.layout, self._static)

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)


def _is_folder(path: str) -> bool:
    return path.endswith(("/", os.sep)) or not Path(path).suffix or Path(path).is_dir()
