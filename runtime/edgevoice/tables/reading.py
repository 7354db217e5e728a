"""Tables read back: their numbers, and what made them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, OutputError
from edgevoice.recipe import Recipe
from edgevoice.tables.beside import beside_name
from edgevoice.tables.table import table_format, table_kind


def read_recipe(path: Path) -> Recipe:
    """What made a table, or a dataset.

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


def read_values(path: Path) -> NDArray[np.float32]:
    """The numbers of a table, (rows, columns): descriptors or functionals; of a dataset, part by part, by name.

    Raises:
        ArgumentError: it has no recipe, or a format that is not known.
        OutputError: it cannot be read.
    """
    kind = table_format(path)
    table_kind(kind)  # says what is not installed
    try:
        if kind == "parquet":
            parts = [_parquet(part) for part in _parts(path)]
            return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
        if kind == "npy":
            return np.asarray(np.load(path), np.float32)
        if kind == "npz":
            with np.load(path) as arrays:
                return np.asarray(arrays["values"], np.float32)
        if kind == "ark":
            import kaldiio

            found = [values for _, values in kaldiio.load_ark(str(path))]
            return np.vstack([values[None] if values.ndim == 1 else values for values in found]).astype(np.float32)
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


def _parquet(path: Path) -> NDArray[np.float32]:
    from pyarrow import parquet

    schema = parquet.read_schema(path)
    names = [name for name in schema.names if _is_number(name)]
    table = parquet.ParquetFile(path).read(columns=names)
    columns = [table.column(name).to_numpy() for name in names]
    return np.stack(columns, axis=1) if columns else np.empty((0, 0), np.float32)


def _text(path: Path, kind: str) -> NDArray[np.float32]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows: Any = csv.DictReader(file) if kind == "csv" else map(json.loads, file)
        return np.array([[float(cell) for name, cell in row.items() if _is_number(name)] for row in rows]).astype(np.float32)


def _is_number(name: str) -> bool:
    """Whether a column holds descriptors or functionals: the user's own may not have such a name."""
    group, _, number = name.rpartition("_")
    return number.isdigit() and group.rpartition("_")[2] in ("bottleneck", "error")
