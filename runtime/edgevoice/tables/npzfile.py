"""Tables as several arrays in one NumPy file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.rows import Cells, TableRows, joined
from edgevoice.errors import ArgumentError
from edgevoice.tables.npyfile import matrix, read_array
from edgevoice.tables.table import Content, Table

_OWN = ("values", "names", "recipe")


class NpzTable(Table):
    """For `numpy.load`, without pickle: `values`, float32 (rows, columns), `names` of its columns, and `recipe` (JSON).

    Every other column is an array (rows,) of its name: `file`, `start` and `end` in seconds, and so on. All rows are held
    in memory until the table is finished.
    """

    beside = ()

    def begin(self) -> None:
        """Refuse columns that have the name of an array of the format."""
        self._blocks: list[TableRows] = []
        for name, _ in self._columns.others:
            if name in _OWN:
                raise ArgumentError(
                    f"{self._path}: the index has a column {name!r}, as npz files have; rename it, or choose parquet"
                )

    def write(self, rows: TableRows) -> None:
        """Add the rows that one row of the index gives."""
        self._blocks.append(rows)

    def finish(self) -> None:
        """Write the table; the file stays open."""
        values, columns = joined(self._blocks, self._columns)
        arrays: dict[str, NDArray[Any]] = {"values": values, "names": np.array(self._columns.values)}
        arrays |= {name: _array(columns[name], kind) for name, kind in self._columns.kinds.items()}
        if self._recipe is not None:
            arrays["recipe"] = np.array(self._recipe.to_json())
        with zipfile.ZipFile(self._file, "w") as archive:  # numpy.savez cannot store an array with the name `file`
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    @classmethod
    def read(cls, path: Path, others: bool) -> Content:
        """Read the arrays."""
        arrays = _read(path, lambda name: name == "values" or (others and name not in _OWN))
        values, columns = matrix(arrays.pop("values")), arrays
        if any(column.shape != (len(values),) for column in columns.values()):
            raise ValueError("its columns have different lengths")
        return Content(values, {name: column.tolist() for name, column in columns.items()})

    @classmethod
    def read_recipe(cls, path: Path) -> str | None:
        """Read the recipe in the table."""
        return next(map(str, _read(path, lambda name: name == "recipe").values()), None)


def _read(path: Path, wanted: Callable[[str], bool]) -> dict[str, NDArray[Any]]:
    """Some of the arrays by name; ValueError where they are compressed or more than the file."""
    with zipfile.ZipFile(path) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        size = sum(member.file_size for member in members.values())
        if size > path.stat().st_size or any(member.compress_type for member in members.values()):
            raise ValueError("its arrays are compressed or larger than the file, as those of EdgeVoice are not")
        return {name: read_array(archive.open(it), it.file_size) for name, it in members.items() if wanted(name)}


def _array(cells: Cells, kind: str) -> NDArray[Any]:
    """The cells of a column as an array: a missing text is empty, a missing number NaN."""
    if kind == "text":
        return np.array(["" if cell is None else cell for cell in cells], np.str_)
    if isinstance(cells, list) and None in cells:
        return np.array(cells, np.float64)
    return np.asarray(cells, {"whole": np.int64, "number": np.float64, "flag": np.bool_}[kind])
