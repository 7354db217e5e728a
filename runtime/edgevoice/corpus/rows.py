"""Rows of tables: their columns, and the rows that one row of an index gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.index import Index, Row
from edgevoice.errors import ArgumentError
from edgevoice.features import Features, Layout

_KINDS = {"file": "text", "channel": "whole", "index": "whole", "frames": "whole"}
_DYNAMIC = ("index", "silent", "gap", "loudness")
_STATIC = ("frames", "silent", "gap", "loudness")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table: those before the numbers, the numbers, and the user's columns, in this order."""

    head: tuple[tuple[str, str], ...]
    """Name and kind of each column before the numbers: `text`, `whole`, `number` (float64) or `flag`."""
    values: tuple[str, ...]
    """Names of the numeric columns, float32: descriptors or functionals."""
    others: tuple[tuple[str, str], ...] = ()
    """Name and kind of each of the user's columns."""
    static: bool = False
    """Whether a row is a recording, not a frame."""

    @classmethod
    def of(
        cls, layout: Layout, static: bool = False, channel: bool = False, others: tuple[tuple[str, str], ...] = ()
    ) -> Columns:
        """The columns of a table with this layout; with `channel`, there is a column of that name."""
        names = ("file", "start", "end", *["channel"] * channel, *(_STATIC if static else _DYNAMIC))
        kinds = _KINDS if static else {**_KINDS, "silent": "flag", "gap": "flag"}
        head = tuple((name, kinds.get(name, "number")) for name in names)
        return cls(head, tuple(layout.functional_names if static else layout.names), others, static)

    @classmethod
    def of_index(cls, layout: Layout, static: bool, index: Index, each: bool) -> Columns:
        """The columns of the table of an index; with `each`, every channel has its own rows.

        Raises:
            ArgumentError: a column of the index has the name of one of ours.
        """
        ours = {*cls.of(layout, static, channel=True).names, *cls.of(layout, not static).names}
        for name, _ in index.columns:
            if name.casefold() in ours:
                raise ArgumentError(f"the index: its column {name!r} has the name of a column of EdgeVoice's own: rename it")
        return cls.of(layout, static, index.has_channel or each, index.columns)

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return [*(name for name, _ in self.head), *self.values, *(name for name, _ in self.others)]


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a table that one row of the index gives: one per frame, or a single one."""

    row: Row
    start: float
    """Start of what was read, in seconds."""
    end: float
    """End of what was read, in seconds."""
    head: tuple[Any, ...]
    """For each column before the numbers, an array, or one value for all rows."""
    values: NDArray[np.float32]
    """The numbers (rows, columns)."""

    def __len__(self) -> int:
        return len(self.values)

    def column(self, k: int) -> list[Any]:
        """The cells of a column before the numbers, as Python numbers and strings."""
        cells = self.head[k]
        return cells.tolist() if isinstance(cells, np.ndarray) else [cells] * len(self)

    def heads(self) -> Iterator[tuple[Any, ...]]:
        """The cells before the numbers, row by row."""
        return zip(*(self.column(k) for k in range(len(self.head))), strict=True)


def block(row: Row, features: Features, columns: Columns) -> Block:
    """Make the rows of a table from a row of the index and its features.

    Raises:
        ArgumentError: there is no frame, in a static table.
    """
    start, end = features.extent or (0.0, 0.0)
    if features.extent is None and len(features):
        start, end = float(features.start[0]), float(features.end[-1])
    channel = (row.channel,) if any(name == "channel" for name, _ in columns.head) else ()
    if not columns.static:
        flags = (features.index, features.silent, features.gap, features.loudness)
        return Block(row, start, end, (row.file, features.start, features.end, *channel, *flags), features.values)
    values = features.functionals()[None]
    means = (float(features.silent.mean()), float(features.gap.mean()), float(features.loudness.mean()))
    return Block(row, start, end, (row.file, start, end, *channel, len(features), *means), values)
