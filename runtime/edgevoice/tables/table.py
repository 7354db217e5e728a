"""The interface of table formats, and the list of formats."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

from edgevoice.corpus.rows import Block, Columns
from edgevoice.errors import ArgumentError, MissingPackageError
from edgevoice.files.wholefile import whole_file
from edgevoice.recipe import Recipe


class Table(Protocol):
    """A table that is written in one format, row by row."""

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None, path: str) -> None:
        """Begin a table in an open binary file.

        Args:
            file: where it is written; it stays open.
            columns: what its columns are.
            recipe: what made it, which is kept in it, or beside it.
            path: its final path, as the user wrote it.
        """
        ...

    def write(self, block: Block) -> None:
        """Add the rows that one row of the index gives."""
        ...

    def finish(self) -> None:
        """Complete the table; the file stays open."""
        ...

    def drop(self) -> None:
        """Discard a table that is not complete, while its file is still open."""
        return

    def beside(self) -> Mapping[str, bytes]:
        """Files to write beside the complete table: names and bytes."""
        ...


_MODULES = {
    "csv": ("edgevoice.tables.csvfile", "CsvTable", ""),
    "npy": ("edgevoice.tables.npyfile", "NpyTable", ""),
    "npz": ("edgevoice.tables.npzfile", "NpzTable", ""),
    "parquet": ("edgevoice.tables.parquetfile", "ParquetTable", "pyarrow"),
    "jsonl": ("edgevoice.tables.jsonltable", "JsonlTable", ""),
    "ark": ("edgevoice.tables.arkfile", "ArkTable", "kaldiio"),
}
FORMATS = tuple(_MODULES)
"""The names of the formats, which are their suffixes too."""


def table_format(path: str | os.PathLike[str]) -> str:
    """The name of the format for the suffix of a path.

    Raises:
        ArgumentError: it names no known format.
    """
    name = Path(path).suffix.lower().removeprefix(".")
    if name not in FORMATS:
        raise ArgumentError(f"{path}: no table format has the suffix '.{name}'; known are {_known()}")
    return name


def table_kind(name: str) -> type[Table]:
    """The class that writes a format.

    Raises:
        MissingPackageError: a package that it needs is not installed.
    """
    module, kind, package = _MODULES[name]
    if package:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            raise MissingPackageError(f"{package} is not installed: pip install 'edgevoice[tables]'") from error
    return cast("type[Table]", getattr(importlib.import_module(module), kind))


@contextmanager
def open_table(
    path: str | os.PathLike[str], columns: Columns, recipe: Recipe | None = None, *, replace: bool = True
) -> Iterator[Table]:
    """A table in a file, in the format of its suffix. The file appears when it is complete, or not at all.

    The recipe is in the table, or in a file beside it.

    Args:
        path: where; missing folders are made.
        columns: what the columns are.
        recipe: what made the table.
        replace: whether a file that is there by then is replaced.

    Raises:
        ArgumentError: the suffix names no known format.
        MissingPackageError: a package that the format needs is not installed.
        OutputError: it cannot be written.
    """
    kind = table_kind(table_format(path))
    with whole_file(path, replace=replace) as file:
        table = kind(file, columns, recipe, os.fspath(path))
        try:
            yield table
            table.finish()
        except BaseException:
            table.drop()
            raise
    for name, content in table.beside().items():
        with whole_file(Path(path).with_name(name)) as file:
            file.write(content)


def _known() -> str:
    return ", ".join(f".{name}" for name in FORMATS)
