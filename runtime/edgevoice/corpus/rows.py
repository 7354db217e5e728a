"""Rows of tables: their columns, and the rows that one row of an index gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError
from edgevoice.features import DYNAMIC, FUNCTIONALS, STATIC, Features, Group, Layout
from edgevoice.wholenumbers import whole_number
from edgevoice.windows import FACTS

if TYPE_CHECKING:
    from edgevoice.corpus.index import Index, Row

Column = tuple[str, str]
"""Name and kind of a column: `text`, `whole`, `number` (float64) or `flag`."""
Cells = NDArray[Any] | list[Any]

EACH = "each"
"""The value of `channel` with which all channels are read, one after the other."""
_KINDS = {"i": "whole", "b": "flag", "f": "number"}
_PLACE: tuple[Column, ...] = (("file", "text"), ("start", "number"), ("end", "number"))
_DYNAMIC: tuple[Column, ...] = tuple((name, _KINDS[FACTS[name].kind]) for name in DYNAMIC)
_STATIC: tuple[Column, ...] = tuple((name, "whole" if name == "frames" else "number") for name in STATIC)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table: the plain ones before the numbers, the numbers, and the user's columns, in this order."""

    head: tuple[Column, ...]
    groups: tuple[Group, ...]
    """The numbers, float32: groups of descriptors or functionals."""
    others: tuple[Column, ...] = ()
    """The user's columns."""
    static: bool = False
    """Whether a row is a recording, not a frame."""

    @classmethod
    def of(cls, layout: Layout, static: bool = False, channel: bool = False, others: tuple[Column, ...] = ()) -> Columns:
        """The columns of a table with this layout; with `channel`, there is a column of that name."""
        groups = layout.groups
        if static:
            groups = tuple(Group(f"{name}_{group.name}", group.count) for group in groups for name in FUNCTIONALS)
        return cls((*_PLACE, *[("channel", "whole")] * channel, *(_STATIC if static else _DYNAMIC)), groups, others, static)

    @classmethod
    def of_index(cls, layout: Layout, static: bool, index: Index, channel: int | str | None = None) -> Columns:
        """The columns of the table of an index whose rows are read with this channel, or each with its own.

        Raises:
            ArgumentError: a column of the index has the name of one of ours; or the channel is none, or named twice.
        """
        if channel is not None and not (isinstance(channel, str) and channel == EACH):
            try:
                whole_number("channel", channel, 0)
            except ArgumentError as error:
                raise ArgumentError(f"{error}, or '{EACH}'") from None
        if index.has_channel and channel is not None:
            raise ArgumentError("channel: the index has a column of that name; use one of them")
        ours = {*cls.of(layout, static, channel=True).names, *cls.of(layout, not static).names}
        for name, _ in index.columns:
            if name.casefold() in ours:
                raise ArgumentError(f"the index: its column {name!r} has the name of a column of EdgeVoice's own: rename it")
        return cls.of(layout, static, index.has_channel or str(channel) == EACH, index.columns)

    @property
    def values(self) -> list[str]:
        """Names of the numbers."""
        return [name for group in self.groups for name in group.names]

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return [*dict(self.head), *self.values, *dict(self.others)]

    @property
    def kinds(self) -> dict[str, str]:
        """Name and kind of all columns but the numbers."""
        return dict((*self.head, *self.others))


class TableRows:
    """The rows of a table that one row of the index gives: one per frame, or a single one.

    `start` and `end` are those of what was read, in seconds; `values` are the numbers (rows, columns); `others` the user's.
    """

    def __init__(self, row: Row, features: Features, columns: Columns) -> None:
        self.row = row
        self.start, self.end = features.extent or (0.0, 0.0)  # that of features of a recording is known
        cells: dict[str, Any] = {"file": row.file, "start": self.start, "end": self.end, "channel": row.channel}
        if columns.static:
            self.values = features.functionals()[None]
            cells |= zip(STATIC, features.summary(), strict=True)
        else:
            self.values = features.values
            cells |= {"start": features.start, "end": features.end, **{name: features.fact(name) for name in DYNAMIC}}
        self._head = {name: cells[name] for name, _ in columns.head}
        self.others = dict(zip(dict(columns.others), row.others, strict=True))

    def __len__(self) -> int:
        return len(self.values)

    def columns(self) -> dict[str, Cells]:
        """All columns but the numbers, in order: an array, or a list where all cells are the same."""
        cells = {**self._head, **self.others}
        return {name: cell if isinstance(cell, np.ndarray) else [cell] * len(self) for name, cell in cells.items()}

    def __iter__(self) -> Iterator[tuple[dict[str, Any], NDArray[np.float32], dict[str, Any]]]:
        """Row by row: the cells before the numbers, the numbers, and the user's cells, as Python's strings and numbers."""
        columns = [column if isinstance(column, list) else column.tolist() for column in self.columns().values()]
        for *cells, values in zip(*columns, self.values, strict=True):
            yield dict(zip(self._head, cells, strict=False)), values, self.others


def joined(blocks: Sequence[TableRows], columns: Columns) -> tuple[NDArray[np.float32], dict[str, Cells]]:
    """The numbers of blocks one after the other, and their other columns."""
    parts = [block.columns() for block in blocks]
    found: dict[str, Cells] = {}
    for name in columns.kinds:
        cells = [part[name] for part in parts]
        arrays = [column for column in cells if isinstance(column, np.ndarray)]
        found[name] = np.concatenate(arrays) if arrays else list(chain.from_iterable(cells))
    return np.concatenate([np.empty((0, len(columns.values)), np.float32), *(block.values for block in blocks)]), found
