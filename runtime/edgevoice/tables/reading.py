"""Reads tables: their numbers, and their recipe."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, OutputError
from edgevoice.recipe import Recipe
from edgevoice.tables.beside import beside_name
from edgevoice.tables.table import table_format, table_kind


def read_recipe(path: Path) -> Recipe:
    """Read the recipe of a table or a dataset.

    Raises:
        ArgumentError: it has no recipe.
        OutputError: it cannot be read.
    """
    try:
        return Recipe.from_json(_recipe(path))
    except (OSError, KeyError, ValueError) as error:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise OutputError(f"{path}: cannot be read ({error.strerror or error})") from error
        raise ArgumentError(f"{path}: no table with a recipe (in it, or in {beside_name(str(path))} beside it)") from error


def find_recipe(path: Path) -> Recipe | None:
    """Read the recipe of a table or a dataset; None where it has none."""
    try:
        return read_recipe(path)
    except ArgumentError:
        return None


class Content(NamedTuple):
    """The content of a table."""

    values: NDArray[np.float32]
    """Descriptors or functionals, (rows, numbers)."""
    columns: dict[str, list[Any]]
    """All other columns by name; in CSV all cells are text. Formats without columns have none; ark has `file`."""


def read_values(path: Path) -> NDArray[np.float32]:
    """Read the numbers of a table, (rows, numbers), with the errors of `read_content`."""
    return read_content(path, others=False).values


def read_content(path: Path, others: bool = True) -> Content:
    """Read the numbers and the other columns of a table; a dataset is read part by part, sorted by name.

    Args:
        path: of the table, or of the dataset's folder.
        others: whether the other columns are read too.

    Raises:
        ArgumentError: the format is not known.
        OutputError: it cannot be read.
    """
    kind = table_format(path)
    table_kind(kind)  # says what is not installed
    if not path.exists():
        raise OutputError(f"{path}: no such table")
    try:
        if kind == "parquet":
            return _parquet(_parts(path), others)
        if kind == "npy":
            return Content(np.asarray(np.load(path), np.float32), {})
        if kind == "npz":
            with np.load(path) as arrays:
                names = [name for name in arrays if name not in ("values", "names", "recipe")] if others else []
                return Content(np.asarray(arrays["values"], np.float32), {name: arrays[name].tolist() for name in names})
        if kind == "ark":
            import kaldiio

            found = [(name, values[None] if values.ndim == 1 else values) for name, values in kaldiio.load_ark(str(path))]
            names = [name for name, values in found for _ in values]
            return Content(np.vstack([values for _, values in found]).astype(np.float32), {"file": names})
        return _text(path, kind)
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(f"{path}: cannot be read ({error})") from error


def _recipe(path: Path) -> str:
    kind = table_format(path)
    if kind == "npz":
        with np.load(path) as arrays:
            return str(arrays["recipe"])
    if kind == "parquet":
        table_kind(kind)
        from pyarrow import parquet

        from edgevoice.tables.parquetfile import RECIPE

        first = next(iter(_parts(path)), None)
        if first is None:
            raise KeyError(str(path))
        return str(parquet.read_metadata(first).metadata[RECIPE.encode()].decode())
    content = json.loads(path.with_name(beside_name(str(path))).read_text(encoding="utf-8"))
    return json.dumps(content["recipe"])


def _parts(path: Path) -> list[Path]:
    return sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]


def _parquet(parts: Sequence[Path], others: bool) -> Content:
    import pyarrow  # noqa: ICN001
    from pyarrow import parquet

    if not parts:
        return Content(np.empty((0, 0), np.float32), {})
    names = parquet.read_schema(parts[0]).names
    wanted = [name for name in names if others or _is_number(name)]
    table = pyarrow.concat_tables([parquet.ParquetFile(part).read(columns=wanted) for part in parts])
    numbers = [table.column(name).to_numpy() for name in wanted if _is_number(name)]
    values = np.stack(numbers, axis=1) if numbers else np.empty((len(table), 0), np.float32)
    return Content(values, {name: table.column(name).to_pylist() for name in wanted if not _is_number(name)})


def _text(path: Path, kind: str) -> Content:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows: list[Any] = list(csv.DictReader(file) if kind == "csv" else map(json.loads, file))
    names = list(rows[0]) if rows else []
    numbers = [name for name in names if _is_number(name)]
    values = np.array([[float(row[name]) for name in numbers] for row in rows]).astype(np.float32)
    return Content(
        values.reshape(len(rows), len(numbers)), {name: [row[name] for row in rows] for name in names if name not in numbers}
    )


def _is_number(name: str) -> bool:
    """Whether a column contains descriptors or functionals: no user's column may have such a name."""
    group, _, number = name.rpartition("_")
    return number.isdigit() and group.rpartition("_")[2] in ("bottleneck", "error")
