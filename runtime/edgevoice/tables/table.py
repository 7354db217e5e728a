"""Tables of features: what a format has to do, and which formats there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from edgevoice.errors import ArgumentError
from edgevoice.features import Features, Layout
from edgevoice.files.wholefile import whole_file
from edgevoice.tables.csvfile import CsvTable
from edgevoice.tables.npyfile import NpyTable


class Table(Protocol):
    """Rows of features, written in one format as they come."""

    def __init__(self, file: IO[bytes], layout: Layout, static: bool) -> None:
        """Begin a table in an open binary file: one row a frame, or with `static` one row a source."""
        ...

    def write(self, source: str, features: Features) -> None:
        """Add the rows of one source, which is known by this name."""
        ...

    def finish(self) -> None:
        """Complete the table; the file stays open."""
        ...


FORMATS: dict[str, type[Table]] = {
    "csv": CsvTable,
    "npy": NpyTable,
}
"""Name of each format, which is its suffix too, and what writes it."""


def table_format(path: str | os.PathLike[str]) -> str:
    """Name of the format that a path's suffix stands for.

    Raises:
        ArgumentError: it stands for none.
    """
    name = Path(path).suffix.lower().removeprefix(".")
    if name not in FORMATS:
        raise ArgumentError(f"{path}: no table format has the suffix '.{name}'; known are {_known()}")
    return name


@contextmanager
def open_table(
    path: str | os.PathLike[str], layout: Layout, static: bool = False, *, replace: bool = True
) -> Iterator[Table]:
    """A table in a file, in the format of its suffix; the file appears whole when the block ends well, or not at all.

    Args:
        path: where; missing folders are made.
        layout: what the columns are, as `Extractor.layout`.
        static: one row a source, its functionals, in place of one row a frame.
        replace: whether it takes the place of a file that is there.

    Raises:
        ArgumentError: the suffix stands for no format.
        OutputError: it cannot be written, or a file is there that is not to be replaced.
    """
    kind = FORMATS[table_format(path)]
    with whole_file(path, replace) as file:
        table = kind(file, layout, static)
        yield table
        table.finish()


def _known() -> str:
    return ", ".join(f".{name}" for name in FORMATS)
