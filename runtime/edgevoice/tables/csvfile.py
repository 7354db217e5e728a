"""CSV tables."""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.tables.table import Content, Format, Write


@contextmanager
def _write(files: Sequence[IO[bytes]], columns: Columns, *_: object) -> Iterator[Write]:
    # Names of files may have bytes that are not UTF-8; these are written unchanged.
    lines = csv.writer(codecs.getwriter("utf-8")(files[0], "surrogateescape"), lineterminator="\n")
    lines.writerow(columns.names)

    def write(rows: TableRows) -> None:
        for head, values, others in rows:
            # str of a NumPy float32 is the shortest decimal that reads back as the same float32.
            lines.writerow([*map(_cell, head.values()), *map(str, values), *map(_cell, others.values())])

    yield write


def _read(path: Path, others: bool) -> Content:
    values, count = array("f"), 0
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        lines = csv.reader(_whole(file))
        names = next(lines, [])
        numbers = _numbers(names)
        width, plain = len(names[numbers]), [*names[: numbers.start], *names[numbers.stop :]] if others else []
        columns: list[list[str]] = [[] for _ in plain]
        for line in lines:
            count += 1
            if len(line) != len(names):
                raise ValueError(f"line {lines.line_num} has {len(line)} cells, not {len(names)}")
            values.extend(map(float, line[numbers]))
            del line[numbers]
            for column, cell in zip(columns, line, strict=False):
                column.append(cell)
    return Content(np.array(values, np.float32).reshape(count, width), dict(zip(plain, columns, strict=True)))


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """The lines, none of which is cut: half a number is one too."""
    for line in lines:
        if not line.endswith(("\n", "\r")):
            raise ValueError("its last line is cut")
        yield line


def csv_of(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _cell(value: Any) -> Any:
    """Write truth values as `true` and `false`, and None as nothing."""
    return ("true" if value else "false") if isinstance(value, bool) else value


def _numbers(names: Sequence[str]) -> slice:
    """The place of the numbers: runs of columns that are counted from 0, as `bottleneck_0`, `bottleneck_1`, `error_0`."""
    first = last = next((k for k, name in enumerate(names) if name.endswith("_0")), len(names))
    while last < len(names):
        group, _, number = names[last - 1].rpartition("_")
        if not names[last].endswith("_0") and not (number.isdecimal() and names[last] == f"{group}_{int(number) + 1}"):
            break
        last += 1
    return slice(first, last)


CSV = Format(_write, _read)
"""Comma-separated values in UTF-8, with a line of column names; numbers read back as float32 give the same bits.

Dynamic: `file`, `start`, `end` (of the window, in seconds), `channel` where there are several, `index`, `silent`, `gap`
(`true` or `false`), `loudness` (dB), then the descriptors. Static: `file`, `start`, `end` (of what was read), `channel`, the
number of `frames`, the shares of them that are `silent` or touch a `gap`, their mean `loudness`, then the functionals. The
user's own columns come last.
"""
