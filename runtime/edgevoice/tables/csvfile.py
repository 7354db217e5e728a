"""CSV tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import IO, Any

from edgevoice.corpus.rows import Block, Columns
from edgevoice.recipe import Recipe
from edgevoice.tables.beside import Beside
from edgevoice.tables.table import Table


class CsvTable(Table):
    """Comma-separated values in UTF-8, with a line of column names; numbers read back as float32 give the same bits.

    Dynamic: `file`, `start`, `end` (of the window, in seconds), `channel` where there are several, `index`, `silent`, `gap`
    (`true` or `false`), `loudness` (dB), then the descriptors. Static: `file`, `start`, `end` (of what was read),
    `channel`, the number of `frames`, the shares of them that are `silent` or touch a `gap`, their mean `loudness`, then
    the functionals. The user's own columns come last.
    """

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None, path: str) -> None:
        self._beside = Beside(columns, recipe, path, names=False)
        self._rows = csv.writer(_Utf8(file), lineterminator="\n")
        self._rows.writerow(columns.names)

    def write(self, block: Block) -> None:
        """Add the rows that one row of the index gives."""
        others = [_cell(cell) for cell in block.row.others]
        for head, values in zip(block.heads(), block.values, strict=True):
            # str of a NumPy float32 is the shortest decimal that reads back as the same float32.
            self._rows.writerow([*map(_cell, head), *map(str, values), *others])

    def finish(self) -> None:
        """Do nothing: every row is complete."""

    def beside(self) -> Mapping[str, bytes]:
        """A file with the recipe."""
        return self._beside.files()


class _Utf8:
    """Writes text to a binary file. Names of files may contain bytes that are not UTF-8; these are written unchanged."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode("utf-8", "surrogateescape"))


def _cell(value: Any) -> Any:
    """Write truth values as `true` and `false`, and None as nothing."""
    return ("true" if value else "false") if isinstance(value, bool) else value
