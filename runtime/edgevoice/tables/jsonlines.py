"""Frames and tables as JSON Lines."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.features import Frame, Group
from edgevoice.tables.table import Content, Format, Write

_LONGEST = 1 << 22
"""Characters of a line that is read: JSON takes up to thirty times as much memory."""


class JsonLines:
    """Writes one frame per line and flushes it at once, so that a program that reads the pipe receives it without delay.

    The keys are `index`, `position` (first sample at the model's rate), `start`, `end` (seconds), `silent`, `gap`,
    `loudness` (dB), `time` (wall clock at the window's end) and `latency`, both null unless the frame is live,
    `bottleneck`, `error`, and what `more` gives for the frame.
    """

    def __init__(self, file: IO[bytes], more: Callable[[Frame], dict[str, Any]] = lambda _: {}) -> None:
        self._file, self._more = file, more

    def write(self, frames: Iterable[Frame]) -> None:
        """Add frames: a `Features` block, or any others in order."""
        for frame in frames:
            line = _line(frame.place(), frame.layout.groups, frame.values, self._more(frame))
            self._file.write(f"{line}\n".encode())
            self._file.flush()


@contextmanager
def _write(files: Sequence[IO[bytes]], columns: Columns, *_: object) -> Iterator[Write]:
    def write(rows: TableRows) -> None:
        for head, values, others in rows:
            files[0].write(f"{_line(head, columns.groups, values, others)}\n".encode())

    yield write


def _read(path: Path, others: bool) -> Content:
    values, count, width = array("f"), 0, 0
    columns: dict[str, list[Any]] = {}
    with path.open("rb") as file:
        while line := file.readline(_LONGEST):
            row = json.loads(line)
            numbers = [cell * 1.0 for cells in row.values() if isinstance(cells, list) for cell in cells]
            values.extend(numbers)
            count, width = count + 1, width or len(numbers)
            for name, cell in row.items() if others else ():
                if not isinstance(cell, list):
                    columns.setdefault(name, []).append(cell)
            if width != len(numbers) or any(isinstance(cell, dict) for cell in row.values()):
                raise ValueError(f"line {count} has other numbers than those before, or an object")
    if any(len(cells) != count for cells in columns.values()):
        raise ValueError("its lines have different keys")
    return Content(np.array(values, np.float32).reshape(count, width), columns)


def _line(head: dict[str, Any], groups: Sequence[Group], values: NDArray[np.float32], tail: dict[str, Any]) -> str:
    cells, first = [json.dumps(head, allow_nan=False)[1:-1]], 0
    for group in groups:
        # str of a NumPy float32 is the shortest decimal that reads back as the same bits; json.dumps would write a double.
        cells.append(f"{json.dumps(group.name)}: [{', '.join(map(str, values[first : first + group.count]))}]")
        first += group.count
    return f"{{{', '.join([*cells, *([json.dumps(tail)[1:-1]] if tail else [])])}}}"


JSONL = Format(_write, _read)
"""One object per row: the columns of a CSV table, but the numbers as arrays, as in a frame's JSON.

Dynamic: `bottleneck` and `error`; static: `mean_bottleneck`, `std_bottleneck`, and so on. Numbers read back as float32 have
the same bits.
"""
