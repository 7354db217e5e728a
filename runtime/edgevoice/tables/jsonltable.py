"""Tables as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO

from edgevoice.corpus.rows import Block, Columns
from edgevoice.recipe import Recipe
from edgevoice.tables.beside import Beside
from edgevoice.tables.table import Table


class JsonlTable(Table):
    """One object per row, with the columns of a CSV table as keys; numbers read back as float32 have the same bits."""

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None, path: str) -> None:
        self._file, self._beside = file, Beside(columns, recipe, path, names=False)
        self._head = [name for name, _ in columns.head]
        self._values = [json.dumps(name) for name in columns.values]
        self._others = [name for name, _ in columns.others]

    def write(self, block: Block) -> None:
        """Add the rows that one row of the index gives."""
        others = dict(zip(self._others, block.row.others, strict=True))
        tail = f", {json.dumps(others)[1:]}" if others else "}"
        for head, values in zip(block.heads(), block.values, strict=True):
            begin = json.dumps(dict(zip(self._head, head, strict=True)), allow_nan=False)[:-1]
            # str of a NumPy float32 is the shortest decimal that reads back as the same float32.
            numbers = ", ".join(f"{name}: {value!s}" for name, value in zip(self._values, values, strict=True))
            self._file.write(f"{begin}, {numbers}{tail}\n".encode())

    def finish(self) -> None:
        """Do nothing: every line is complete."""

    def beside(self) -> Mapping[str, bytes]:
        """A file with the recipe."""
        return self._beside.files()
