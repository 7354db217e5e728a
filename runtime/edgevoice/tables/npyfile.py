"""NumPy's own format."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO, Any

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
        with path.open("rb") as file:
            return Content(matrix(read_array(file, path.stat().st_size)), {})


def read_array(file: IO[bytes], size: int) -> NDArray[Any]:
    """Read an array, without pickle, from a file of that many bytes; ValueError where its header says another size."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    if dtype.hasobject or not dtype.itemsize or math.prod(shape) * dtype.itemsize != size - file.tell():
        raise ValueError(f"its header says {dtype} {shape}, its size does not")
    return np.ndarray(shape, dtype, file.read(), order="F" if by_columns else "C")


def matrix(array: NDArray[Any]) -> NDArray[np.float32]:
    """The array as a matrix of numbers; ValueError where it is none."""
    if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
        raise ValueError(f"{array.dtype} {array.shape}, expected float32 (rows, columns)")
    return array.astype(np.float32)
