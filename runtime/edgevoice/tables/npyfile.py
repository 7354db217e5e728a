"""NumPy's own format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

import numpy as np

from edgevoice.corpus.rows import Block, Columns
from edgevoice.recipe import Recipe
from edgevoice.tables.beside import Beside
from edgevoice.tables.table import Table


class NpyTable(Table):
    """The plain matrix, float32, for `numpy.load`: (frames, descriptors), or static (sources, functionals).

    Rows of several sources follow each other in the order in which they were written. The file names neither rows nor
    columns: the JSON file beside it does.
    """

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None, path: str) -> None:
        self._file, self._beside = file, Beside(columns, recipe, path, names=True)
        self._columns, self._rows = len(columns.values), 0
        self._write_header()

    def write(self, block: Block) -> None:
        """Add the rows that one row of the index gives."""
        self._file.write(np.ascontiguousarray(block.values, "<f4").data)
        self._rows += len(block)
        self._beside.write(block)

    def finish(self) -> None:
        """Complete the table; the file stays open."""
        # NumPy leaves room in the header for the number of rows to grow.
        self._file.seek(0)
        self._write_header()

    def beside(self) -> Mapping[str, bytes]:
        """A file with the recipe and the names of rows and columns."""
        return self._beside.files()

    def _write_header(self) -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": (self._rows, self._columns)}
        np.lib.format.write_array_header_1_0(self._file, header)
