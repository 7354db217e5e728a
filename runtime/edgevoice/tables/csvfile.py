"""CSV tables."""

from __future__ import annotations

import csv
from typing import IO

from edgevoice.features import Features, Layout

PLACE = ("file", "frame", "start", "end", "seconds", "silent", "gap")
"""Columns of a dynamic table before the descriptors; a static one has `file` alone before the functionals."""


class CsvTable:
    """Comma-separated values in UTF-8, with a line of column names; numbers read back as float32 give the same bits.

    Dynamic: `file`, `frame`, `start`, `end` (samples at the model's rate), `seconds` (end of the window), `silent`, `gap`
    (`true` or `false`), then the descriptors. Static: `file`, then the functionals.
    """

    def __init__(self, file: IO[bytes], layout: Layout, static: bool) -> None:
        self._rows = csv.writer(_Utf8(file), lineterminator="\n")
        self._static = static
        names = ["file", *layout.functional_names] if static else [*PLACE, *layout.names]
        self._rows.writerow(names)

    def write(self, source: str, features: Features) -> None:
        """Add the rows of one source."""
        # str of a NumPy float32 is the shortest decimal that reads back as the same float32.
        if self._static:
            self._rows.writerow([source, *map(str, features.functionals())])
        else:
            for frame in features:
                place = (frame.index, frame.start, frame.end, frame.seconds, _word(frame.silent), _word(frame.gap))
                self._rows.writerow([source, *place, *map(str, frame.values)])

    def finish(self) -> None:
        """Nothing is left to do: every row is complete."""


class _Utf8:
    """Takes text for a binary file. Names of files may hold bytes that are not UTF-8: they come out as they are."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode("utf-8", "surrogateescape"))


def _word(flag: bool) -> str:
    return "true" if flag else "false"
