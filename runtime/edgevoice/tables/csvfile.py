"""CSV tables."""

from __future__ import annotations

import csv
from typing import IO

from edgevoice.features import Features, Layout

DYNAMIC = ("file", "start", "end", "index", "silent", "gap", "loudness")
STATIC = ("file", "start", "end", "frames", "silent", "gap", "loudness")
"""Columns before the descriptors, and before the functionals."""


class CsvTable:
    """Comma-separated values in UTF-8, with a line of column names; numbers read back as float32 give the same bits.

    Dynamic: `file`, `start`, `end` (of the window, in seconds), `index`, `silent`, `gap` (`true` or `false`), `loudness`
    (dB), then the descriptors. Static: `file`, `start`, `end` (of what was read, in seconds), the number of `frames`, the
    shares of them that are `silent` or touch a `gap`, their mean `loudness`, then the functionals.
    """

    def __init__(self, file: IO[bytes], layout: Layout, static: bool) -> None:
        self._rows = csv.writer(_Utf8(file), lineterminator="\n")
        self._static = static
        names = [*STATIC, *layout.functional_names] if static else [*DYNAMIC, *layout.names]
        self._rows.writerow(names)

    def write(self, source: str, features: Features) -> None:
        """Add the rows of one source."""
        # str of a NumPy float32 is the shortest decimal that reads back as the same float32.
        if self._static:
            start, end = features.extent or (features.start[0], features.end[-1])
            flags = (features.silent.mean(), features.gap.mean(), features.loudness.mean())
            self._rows.writerow([source, start, end, len(features), *flags, *map(str, features.functionals())])
        else:
            for frame in features:
                place = (frame.start, frame.end, frame.index, _word(frame.silent), _word(frame.gap), frame.loudness)
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
