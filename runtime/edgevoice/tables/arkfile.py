"""Kaldi tables."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.files import unicode_text
from edgevoice.recipe import Recipe
from edgevoice.tables.table import Content, Format, Write

_ENTRY = re.compile(rb"(\S+) \0B([FD])(?:V |M \x04(.{4}))\x04(.{4})", re.DOTALL)
"""A name, what one number is, and the size of a vector, or the two of a matrix."""


@contextmanager
def _write(files: Sequence[IO[bytes]], columns: Columns, recipe: Recipe | None, path: str) -> Iterator[Write]:  # noqa: ARG001
    ark, _, scp = files
    names: set[str] = set()

    def write(rows: TableRows) -> None:
        stem = name = _utterance(rows)
        number = 2
        while name in names:
            name, number = f"{stem}-{number}", number + 1
        names.add(name)
        scp.write(f"{name} {path}:{ark.tell() + len(name.encode()) + 1}\n".encode("utf-8", "surrogateescape"))
        ark.write(ark_entry(name, rows.values[0] if columns.static else rows.values))

    yield write


def _read(path: Path, others: bool) -> Content:
    """Read binary matrices and vectors, float32 or float64; all else is refused. The column `file` has their names."""
    data, values, names = path.read_bytes(), bytearray(), []
    position, width = 0, 0
    while position < len(data):
        entry = _ENTRY.match(data, position)
        if entry is None:
            raise ValueError(f"at byte {position} is no binary matrix or vector")
        rows, columns = (1 if size is None else int.from_bytes(size, "little") for size in entry.group(3, 4))
        if not columns or columns != (width or columns):
            raise ValueError(f"{entry[1]!r} has {columns} columns, those before it {width}")
        numbers = np.frombuffer(data, "<f4" if entry[2] == b"F" else "<f8", rows * columns, entry.end())
        values += numbers.astype("<f4").data
        names += [entry[1].decode("utf-8", "surrogateescape")] * rows if others else []
        position, width = entry.end() + numbers.nbytes, columns
    return Content(np.frombuffer(values, "<f4").reshape(-1, width or 1), {"file": names} if others else {})


def ark_entry(name: str, values: NDArray[np.float32]) -> bytes:
    """An utterance of an ark: its name, and a binary matrix (rows, columns), or a vector (columns,)."""
    kind = b"V" if values.ndim == 1 else b"M"
    sizes = b"".join(struct.pack("<bi", 4, size) for size in values.shape)
    return name.encode() + b" \0BF" + kind + b" " + sizes + np.ascontiguousarray(values, "<f4").tobytes()


def _utterance(rows: TableRows) -> str:
    row, columns = rows.row, rows.columns()
    name = unicode_text(re.sub(r"[\s/\\]+", "-", os.path.splitext(row.file)[0].strip("/")))  # noqa: PTH122
    if "channel" in columns and row.channel is not None:
        name += f"-{row.channel}"
    if row.start is not None or row.end is not None:
        name += f"-{round(100 * rows.start):07d}-{round(100 * rows.end):07d}"
    return name


ARK = Format(_write, _read, beside=("{path}.json", "{stem}.scp"), names=False)
"""A binary ark, and an scp with the positions of its utterances: each a matrix (frames, descriptors), or one vector.

An utterance is named after its file, without the suffix, `/` and blanks as `-`; a segment has its start and end in
hundredths of a second behind it, a channel of several its number: `anna-one-0000050-0000150`. Where two would have the same
name, the later one has a number added.
"""
