"""NumPy's own format."""

from __future__ import annotations

from typing import IO

import numpy as np

from edgevoice.features import Features, Layout


class NpyTable:
    """The plain matrix, float32, for `numpy.load`: (frames, descriptors), or static (sources, functionals).

    Rows of several sources follow each other in the order in which they were written. The file names neither rows nor
    columns: columns are `Layout.names` or `Layout.functional_names`, and where frames of several sources must be told
    apart, write one file a source, or CSV.
    """

    def __init__(self, file: IO[bytes], layout: Layout, static: bool) -> None:
        self._file, self._static = file, static
        self._columns = len(layout.functional_names if static else layout.names)
        self._rows = 0
        self._write_header()

    def write(self, source: str, features: Features) -> None:  # noqa: ARG002
        """Add the rows of one source; its name is not kept."""
        rows = features.functionals()[None] if self._static else features.values
        self._file.write(np.ascontiguousarray(rows, "<f4").data)
        self._rows += len(rows)

    def finish(self) -> None:
        """Complete the table; the file stays open."""
        # NumPy leaves room in the header for the number of rows to grow.
        self._file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": (self._rows, self._columns)}
        np.lib.format.write_array_header_1_0(self._file, header)
