"""NumPy's own format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.rows import TableRows
from edgevoice.tables.table import Content, Table


class NpyTable(Table):
    """The plain matrix, float32, for `numpy.load`: (frames, descriptors), or static (sources, functionals).

    Rows of several sources follow each other in the order in which they were written. The file names neither rows nor
    columns: the sidecar does.
    """

    def begin(self) -> None:
        """Write the header."""
        self._count = 0
        self._write_header()

    def write(self, rows: TableRows) -> None:
        """Add the rows that one row of the index gives."""
        self._file.write(np.ascontiguousarray(rows.values, "<f4").data)
        self._count += len(rows)
        self.keep_names(rows)

    def finish(self) -> None:
        """Complete the table; the file stays open."""
        # NumPy leaves room in the header for the number of rows to grow.
        self._file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": (self._count, len(self._columns.values))}
        np.lib.format.write_array_header_1_0(self._file, header)

    @classmethod
    def read(cls, path: Path, others: bool) -> Content:  # noqa: ARG003
        """Read the matrix."""
        return Content(matrix(np.load(path, mmap_mode="r")), {})  # mapping refuses a header that says more than there is


def matrix(array: NDArray[Any]) -> NDArray[np.float32]:
    """The array as a matrix of numbers.

    Raises:
        ValueError: it is none.
    """
    if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
        raise ValueError(f"{array.dtype} {array.shape}, expected float32 (rows, columns)")
    return array.astype(np.float32)
