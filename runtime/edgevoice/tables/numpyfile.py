"""NumPy's own formats: a matrix, and several arrays in one file."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.rows import Cells, Columns, TableRows, joined
from edgevoice.errors import ArgumentError
from edgevoice.recipe import Recipe
from edgevoice.tables.table import Content, Format, Write

_OWN = ("values", "names", "recipe")


@contextmanager
def _write_npy(files: Sequence[IO[bytes]], columns: Columns, *_: object) -> Iterator[Write]:
    file, count = files[0], 0

    def write_header() -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, len(columns.values))}
        np.lib.format.write_array_header_1_0(file, header)

    def write(rows: TableRows) -> None:
        nonlocal count
        file.write(np.ascontiguousarray(rows.values, "<f4").data)
        count += len(rows)

    write_header()
    yield write
    file.seek(0)
    write_header()  # NumPy leaves room in it for the number of rows to grow


def _read_npy(path: Path, others: bool) -> Content:  # noqa: ARG001
    with path.open("rb") as file:
        return Content(_matrix(_read_array(file, path.stat().st_size)), {})


NPY = Format(_write_npy, _read_npy, names=False)
"""The plain matrix, float32, for `numpy.load`: (frames, descriptors), or static (sources, functionals).

Rows of several sources follow each other in the order in which they were written. The file names neither rows nor columns:
the sidecar does.
"""


@contextmanager
def _write_npz(files: Sequence[IO[bytes]], columns: Columns, recipe: Recipe | None, path: str) -> Iterator[Write]:
    for name, _ in columns.others:
        if name in _OWN:
            raise ArgumentError(f"{path}: the index has a column {name!r}, as npz files have; rename it, or choose parquet")
    blocks: list[TableRows] = []
    yield blocks.append
    values, cells = joined(blocks, columns)
    arrays: dict[str, NDArray[Any]] = {"values": values, "names": np.array(columns.values)}
    arrays |= {name: _array(cells[name], kind) for name, kind in columns.kinds.items()}
    if recipe is not None:
        arrays["recipe"] = np.array(recipe.to_json())
    with zipfile.ZipFile(files[0], "w") as archive:  # numpy.savez cannot store an array with the name `file`
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _read_npz(path: Path, others: bool) -> Content:
    arrays = _read_arrays(path, lambda name: name == "values" or (others and name not in _OWN))
    values, columns = _matrix(arrays.pop("values")), arrays
    if any(column.shape != (len(values),) for column in columns.values()):
        raise ValueError("its columns have different lengths")
    return Content(values, {name: column.tolist() for name, column in columns.items()})


def _npz_recipe(path: Path) -> str | None:
    return next(map(str, _read_arrays(path, lambda name: name == "recipe").values()), None)


NPZ = Format(_write_npz, _read_npz, _npz_recipe, beside=())
"""For `numpy.load`, without pickle: `values`, float32 (rows, columns), `names` of its columns, and `recipe` (JSON).

Every other column is an array (rows,) of its name: `file`, `start` and `end` in seconds, and so on. All rows are held in
memory until the table is finished.
"""


def _read_array(file: IO[bytes], size: int) -> NDArray[Any]:
    """Read an array, without pickle, from a file of that many bytes; ValueError where its header says another size."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    if dtype.hasobject or not dtype.itemsize or math.prod(shape) * dtype.itemsize != size - file.tell():
        raise ValueError(f"its header says {dtype} {shape}, its size does not")
    return np.ndarray(shape, dtype, file.read(), order="F" if by_columns else "C")


def _matrix(array: NDArray[Any]) -> NDArray[np.float32]:
    """The array as a matrix of numbers; ValueError where it is none."""
    if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
        raise ValueError(f"{array.dtype} {array.shape}, expected float32 (rows, columns)")
    return array.astype(np.float32)


def _read_arrays(path: Path, wanted: Callable[[str], bool]) -> dict[str, NDArray[Any]]:
    """Some of the arrays by name; ValueError where they are compressed or more than the file."""
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        size = sum(member.file_size for member in members.values())
        if size > path.stat().st_size or any(member.compress_type for member in members.values()):
            raise ValueError("its arrays are compressed or larger than the file, as those of EdgeVoice are not")
        found = {}
        for name, it in members.items():
            if wanted(name):
                with archive.open(it) as member:
                    found[name] = _read_array(member, it.file_size)
        return found


def _array(cells: Cells, kind: str) -> NDArray[Any]:
    """The cells of a column as an array: a missing text is empty, a missing number NaN."""
    if kind == "text":
        return np.array(["" if cell is None else cell for cell in cells], np.str_)
    if isinstance(cells, list) and None in cells:
        return np.array(cells, np.float64)
    return np.asarray(cells, {"whole": np.int64, "number": np.float64, "flag": np.bool_}[kind])
