"""Kaldi tables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from edgevoice.corpus.index import Row
from edgevoice.corpus.rows import Block, Columns
from edgevoice.recipe import Recipe
from edgevoice.tables.beside import Beside
from edgevoice.tables.table import Table


class ArkTable(Table):
    """A binary ark, and an scp with the positions of its utterances: each a matrix (frames, descriptors), or one vector.

    An utterance is named after its file, without the suffix, `/` and blanks as `-`; a segment has its start and end in
    hundredths of a second behind it, a channel of several its number: `anna-one-0000050-0000150`. Where two would have the
    same name, the later one has a number added.
    """

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None, path: str) -> None:
        self._file, self._static, self._path = file, columns.static, path
        self._channel = any(name == "channel" for name, _ in columns.head)
        self._beside = Beside(columns, recipe, path, names=True)
        self._offsets: dict[str, int] = {}

    def write(self, block: Block) -> None:
        """Add the utterance of one row of the index."""
        import kaldiio

        stem = name = utterance(block.row, block.start, block.end, self._channel)
        number = 2
        while name in self._offsets:
            name, number = f"{stem}-{number}", number + 1
        self._offsets[name] = self._file.tell() + len(name.encode()) + 1
        kaldiio.save_ark(self._file, {name: block.values[0] if self._static else block.values})
        self._beside.write(block)

    def finish(self) -> None:
        """Do nothing: every utterance is complete."""

    def beside(self) -> Mapping[str, bytes]:
        """The scp, and a file with the recipe and the names of rows and columns."""
        lines = "".join(f"{name} {self._path}:{offset}\n" for name, offset in self._offsets.items())
        scp = Path(self._path).with_suffix(".scp").name
        return {scp: lines.encode("utf-8", "surrogateescape"), **self._beside.files()}


def utterance(row: Row, start: float, end: float, channel: bool) -> str:
    """The name of an utterance."""
    name = re.sub(r"[\s/\\]+", "-", os.path.splitext(row.file)[0].strip("/"))  # noqa: PTH122
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if channel and row.channel is not None:
        name += f"-{row.channel}"
    if row.start is not None or row.end is not None:
        name += f"-{round(100 * start):07d}-{round(100 * end):07d}"
    return name
