"""Tables as several arrays in one NumPy file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.rows import Block, Columns
from edgevoice.errors import ArgumentError
from edgevoice.recipe import Recipe
from edgevoice.tables.table import Table

_OWN = ("values", "names", "recipe")
_TYPES = {"text": np.str_, "whole": np.int64, "number": np.float64, "flag": np.bool_}


class NpzTable(Table):
    """For `numpy.load`, without pickle: `values`, float32 (rows, columns), `names` of its columns, and `recipe` (JSON).

    Every other column is an array (rows,) of its name: `file`, `start` and `end` in seconds, and so on. All rows are held
    in memory until the table is finished.
    """

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None, path: str) -> None:
        for name, _ in columns.others:
            if name in _OWN:
                raise ArgumentError(
                    f"{path}: the index has a column {name!r}, as npz files have; rename it, or choose parquet"
                )
        self._file, self._columns, self._recipe = file, columns, recipe
        self._blocks: list[Block] = []

    def write(self, block: Block) -> None:
        """Add the rows that one row of the index gives."""
        self._blocks.append(block)

    def finish(self) -> None:
        """Write the table; the file stays open."""
        blocks, columns = self._blocks, self._columns
        values = np.concatenate([np.empty((0, len(columns.values)), np.float32), *(part.values for part in blocks)])
        arrays: dict[str, NDArray[Any]] = {"values": values, "names": np.array(columns.values)}
        for k, (name, kind) in enumerate(columns.head):
            arrays[name] = _array([cell for part in blocks for cell in part.column(k)], kind)
        for k, (name, kind) in enumerate(columns.others):
            arrays[name] = _array([cell for part in blocks for cell in [part.row.others[k]] * len(part)], kind)
        if self._recipe is not None:
            arrays["recipe"] = np.array(self._recipe.to_json())
        with zipfile.ZipFile(self._file, "w") as archive:  # numpy.savez cannot store an array with the name `file`
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    def beside(self) -> Mapping[str, bytes]:
        """No other files: the recipe is in the table."""
        return {}


def _array(cells: list[Any], kind: str) -> NDArray[Any]:
    """The cells of a column as an array: a missing text is empty, a missing number NaN."""
    if kind == "text":
        return np.array(["" if cell is None else cell for cell in cells], np.str_)
    if any(cell is None for cell in cells):
        return np.array([np.nan if cell is None else float(cell) for cell in cells], np.float64)
    return np.array(cells, _TYPES[kind])
