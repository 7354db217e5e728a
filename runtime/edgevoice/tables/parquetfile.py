"""Parquet tables."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.rows import Columns, TableRows, joined
from edgevoice.files import unicode_text
from edgevoice.recipe import Recipe
from edgevoice.tables.table import Content, Format, Write

RECIPE, FAILED = "edgevoice.recipe", "edgevoice.failed"
"""Keys of the file's metadata, for the recipe and for failed rows; both values are JSON."""

_GROUP = 1 << 21
"""Numbers per row group, 8 MB: this much is kept in memory until it is written."""
_ROOM = 1 << 28
"""Bytes that the numbers of any table may take; others may be 64 times as large as their file."""


class _Sink(io.RawIOBase):
    """An open file as pyarrow writes to it, and nothing once the table is over.

    A writer that was interrupted, at any place, completes its table when it is collected: late, and into a closed file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.over = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data) if self.over or self._file.closed else self._file.write(data)


class ParquetTable:
    """Writes a table to an open file, which stays open. A context manager: an error leaves it incomplete."""

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None) -> None:
        import pyarrow  # noqa: ICN001
        from pyarrow import parquet

        self._columns, self._blocks, self._count = columns, list[TableRows](), 0
        kinds = columns.kinds
        types = {"text": pyarrow.string(), "whole": pyarrow.int64(), "number": pyarrow.float64(), "flag": pyarrow.bool_()}
        numbers = pyarrow.float32()
        self._schema = pyarrow.schema([(name, types[kinds[name]] if name in kinds else numbers) for name in columns.names])
        self._sink = _Sink(file)
        self._writer = parquet.ParquetWriter(
            self._sink,
            self._schema,
            compression="zstd",
            # Statistics of each column would take as much space as the numbers of a small part.
            use_dictionary=[name for name, kind in kinds.items() if kind == "text"],
            write_statistics=list(kinds),
            column_encoding=dict.fromkeys(columns.values, "BYTE_STREAM_SPLIT"),
            store_schema=False,
            data_page_version="2.0",
        )
        if recipe is not None:
            self.note(RECIPE, recipe.to_dict())
            self.note("PANDAS_ATTRS", {"recipe": recipe.to_dict()})

    def write(self, rows: TableRows) -> None:
        """Add the rows that one row of the index gives."""
        self._blocks.append(rows)
        self._count += rows.values.size
        if self._count >= _GROUP:
            self._flush()

    def note(self, key: str, value: Any) -> None:
        """Keep a value in the metadata of the table, as JSON."""
        self._writer.add_key_value_metadata({key: json.dumps(value)})

    def append(self, path: Path) -> None:
        """Add the rows of another table of these columns."""
        from pyarrow import parquet

        self._flush()
        with parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                self._writer.write_table(file.read_row_group(group).cast(self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
                self._writer.close()
        finally:
            self._sink.over = True

    def _flush(self) -> None:
        import pyarrow  # noqa: ICN001

        if not self._blocks:
            return
        columns = self._columns
        values, cells = joined(self._blocks, columns)
        for name, kind in columns.kinds.items():
            if kind == "text":
                cells[name] = [None if cell is None else unicode_text(cell) for cell in cells[name]]
        cells |= dict(zip(columns.values, map(np.ascontiguousarray, values.T), strict=True))
        table = pyarrow.table([cells[name] for name in columns.names], schema=self._schema)
        self._writer.write_table(table, row_group_size=len(values))
        self._blocks, self._count = [], 0


@contextmanager
def _write(files: Sequence[IO[bytes]], columns: Columns, recipe: Recipe | None, _: str) -> Iterator[Write]:
    with ParquetTable(files[0], columns, recipe) as table:
        yield table.write


def read_parquet(path: Path, others: bool = True) -> Content:
    """Read a file, or all parts of a folder in the order of their names; what is float32 is a number."""
    parts = [_read(part, others) for part in _parts(path)]
    columns = {name: [cell for _, cells in parts for cell in cells[name]] for name in (parts[0][1] if parts else ())}
    return Content(np.concatenate([values for values, _ in parts] or [np.empty((0, 0), np.float32)]), columns)


def _recipe(path: Path) -> str | None:
    """The recipe in the metadata of the table, or of its first part."""
    from pyarrow import parquet

    for part in _parts(path)[:1]:
        recipe: bytes | None = (parquet.read_metadata(part).metadata or {}).get(RECIPE.encode())
        return None if recipe is None else recipe.decode()
    return None


def _parts(path: Path) -> Sequence[Path]:
    return sorted(part for part in path.glob("part-*.parquet") if part.is_file()) if path.is_dir() else [path]


def _read(part: Path, others: bool) -> tuple[NDArray[np.float32], dict[str, list[Any]]]:
    """The numbers and the other columns of a file."""
    import pyarrow  # noqa: ICN001
    from pyarrow import parquet

    schema = parquet.read_schema(part)
    numbers = [field.name for field in schema if field.type == pyarrow.float32()]
    plain = [name for name in schema.names if others and name not in numbers]
    texts = [field.name for field in schema if field.type in (pyarrow.string(), pyarrow.large_string())]
    # A text that is repeated is in memory once, as in the file.
    with parquet.ParquetFile(part, read_dictionary=texts) as file:
        count = file.metadata.num_rows
        if 4 * count * len(schema) > max(_ROOM, 64 * part.stat().st_size):
            raise ValueError(f"{count} rows of {len(schema)} columns would be much larger than the file")
        # Of a file without a row group, older versions of pyarrow read nothing but an error.
        table = file.read([*numbers, *plain]) if file.num_row_groups else schema.empty_table()
    values = np.empty((len(table), len(numbers)), np.float32)
    for k, name in enumerate(numbers):
        values[:, k] = table.column(name)
    return values, {name: [cell for chunk in table.column(name).chunks for cell in _cells(chunk)] for name in plain}


def _cells(chunk: Any) -> list[Any]:
    words = chunk.dictionary.to_pylist() if hasattr(chunk, "dictionary") else None
    cells: list[Any] = chunk.to_pylist() if words is None else chunk.indices.to_pylist()
    return cells if words is None else [None if k is None else words[k] for k in cells]


PARQUET = Format(_write, read_parquet, _recipe, beside=(), module="pyarrow.parquet")
"""Apache Parquet, for pandas, DuckDB, Arrow and others; the recipe is in its metadata, and in `attrs` in pandas.

Flags are booleans, seconds float64, descriptors and functionals float32. A folder of such files is read as one table.
"""
