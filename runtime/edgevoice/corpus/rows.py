"""Rows of tables: their columns, and the rows that one row of an index gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.features import FUNCTIONALS, Features, Layout

if TYPE_CHECKING:
    from edgevoice.corpus.index import Index, Row

Column = tuple[str, str]
"""Name and kind of a column: `text`, `whole`, `number` (float64) or `flag`."""
Cells = NDArray[Any] | list[Any]

_PLACE: tuple[Column, ...] = (("file", "text"), ("start", "number"), ("end", "number"))
_FACTS: tuple[Column, ...] = (("index", "whole"), ("silent", "flag"), ("gap", "flag"), ("loudness", "number"))
_MEANS: tuple[Column, ...] = tuple((name, "number") for name, _ in _FACTS[1:])


def groups_of(layout: Layout) -> tuple[tuple[str, int], ...]:
    """Names of the groups of descriptors, in order, and how many each has."""
    return ("bottleneck", layout.bottleneck), ("error", layout.error)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table: the plain ones before the numbers, the numbers, and the user's columns, in this order."""

    head: tuple[Column, ...]
    groups: tuple[tuple[str, int], ...]
    """The numbers, float32: names of groups of descriptors or functionals, and how many columns each has."""
    others: tuple[Column, ...] = ()
    """The user's columns."""
    static: bool = False
    """Whether a row is a recording, not a frame."""

    @classmethod
    def of(cls, layout: Layout, static: bool = False, channel: bool = False, others: tuple[Column, ...] = ()) -> Columns:
        """The columns of a table with this layout; with `channel`, there is a column of that name."""
        groups, facts = groups_of(layout), _FACTS
        if static:
            facts = (("frames", "whole"), *_MEANS)
            groups = tuple((f"{name}_{group}", count) for group, count in groups for name in FUNCTIONALS)
        return cls((*_PLACE, *[("channel", "whole")] * channel, *facts), groups, others, static)

    @classmethod
    def of_index(cls, layout: Layout, static: bool, index: Index, each: bool) -> Columns:
        """The columns of the table of an index; with `each`, every channel has its own rows."""
        return cls.of(layout, static, index.has_channel or each, index.columns)

    @property
    def values(self) -> list[str]:
        """Names of the numbers."""
        return [f"{group}_{k}" for group, count in self.groups for k in range(count)]

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

    `start` and `end` are those of what was read, in seconds; `values` are the numbers (rows, columns).

    Raises:
        ArgumentError: there is no frame, in a static table.
    """

    def __init__(self, row: Row, features: Features, columns: Columns) -> None:
        self.row = row
        self.start, self.end = features.extent or (0.0, 0.0)
        if features.extent is None and len(features):
            self.start, self.end = float(features.start[0]), float(features.end[-1])
        cells: dict[str, Any] = {"file": row.file, "start": self.start, "end": self.end, "channel": row.channel}
        if columns.static:
            self.values = features.functionals()[None]
            cells |= {"frames": len(features)} | {name: float(getattr(features, name).mean()) for name, _ in _MEANS}
        else:
            self.values = features.values
            cells |= {name: getattr(features, name) for name in ("start", "end", *dict(_FACTS))}
        self._head = {name: cells[name] for name, _ in columns.head}
        self.others = dict(zip(dict(columns.others), row.others, strict=True))
        """The user's cells."""

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
