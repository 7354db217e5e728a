"""Parquet tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgevoice.corpus.rows import Block, Columns
from edgevoice.recipe import Recipe
from edgevoice.tables.table import Table

RECIPE, FAILED = "edgevoice.recipe", "edgevoice.failed"
"""Keys of the file's metadata, for the recipe and for failed rows; both values are JSON."""

_GROUP = 1 << 21
"""Numbers per row group, 8 MB: this much is kept in memory until it is written."""


class ParquetTable(Table):
    """Apache Parquet, for pandas, DuckDB, Arrow and others; the recipe is in its metadata, and in `attrs` in pandas.

    Flags are booleans, seconds float64, descriptors and functionals float32.
    """

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None, path: str) -> None:  # noqa: ARG002
        import pyarrow  # noqa: ICN001
        from pyarrow import parquet

        self._arrow, self._columns = pyarrow, columns
        self._blocks: list[Block] = []
        self._count = 0
        types = {"text": pyarrow.string(), "whole": pyarrow.int64(), "number": pyarrow.float64(), "flag": pyarrow.bool_()}
        plain = [*columns.head, *columns.others]
        fields = [
            *((name, types[kind]) for name, kind in columns.head),
            *((name, pyarrow.float32()) for name in columns.values),
            *((name, types[kind]) for name, kind in columns.others),
        ]
        self._schema = pyarrow.schema(fields)
        self._writer = parquet.ParquetWriter(
            file,
            self._schema,
            compression="zstd",
            # Statistics of each column would take as much space as the numbers of a small part.
            use_dictionary=[name for name, kind in plain if kind == "text"],
            write_statistics=[name for name, _ in plain],
            column_encoding=dict.fromkeys(columns.values, "BYTE_STREAM_SPLIT"),
            store_schema=False,
            data_page_version="2.0",
        )
        if recipe is not None:
            attributes = json.dumps({"recipe": recipe.to_dict()})
            self._writer.add_key_value_metadata({RECIPE: recipe.to_json(), "PANDAS_ATTRS": attributes})

    def write(self, block: Block) -> None:
        """Add the rows that one row of the index gives."""
        self._blocks.append(block)
        self._count += block.values.size
        if self._count >= _GROUP:
            self._flush()

    def note(self, key: str, value: Any) -> None:
        """Keep a value in the metadata of the table, as JSON."""
        self._writer.add_key_value_metadata({key: json.dumps(value)})

    def append(self, path: Path) -> list[Any]:
        """Add the rows of another table of these columns; return those that failed there."""
        from pyarrow import parquet

        self._flush()
        with parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                self._writer.write_table(file.read_row_group(group).cast(self._schema))
            return list(json.loads((file.metadata.metadata or {}).get(FAILED.encode(), b"[]")))

    def finish(self) -> None:
        """Complete the table; the file stays open."""
        self._flush()
        self._writer.close()

    def drop(self) -> None:
        """Close the table without completing it: otherwise pyarrow would do that later, in a file that is closed by then."""
        with suppress(OSError, ValueError):
            self._writer.close()

    def beside(self) -> Mapping[str, bytes]:
        """No other files: the recipe is in the table."""
        return {}

    def _flush(self) -> None:
        blocks, columns = self._blocks, self._columns
        if not blocks:
            return
        values = np.concatenate([part.values for part in blocks])
        kinds = dict([*columns.head, *columns.others])
        cells: list[list[Any]] = [[cell for part in blocks for cell in part.column(k)] for k in range(len(columns.head))]
        others: list[list[Any]] = [
            [cell for part in blocks for cell in [part.row.others[k]] * len(part)] for k in range(len(columns.others))
        ]
        arrays = [
            *(self._array(column, kinds[name]) for column, (name, _) in zip(cells, columns.head, strict=True)),
            *(self._arrow.array(np.ascontiguousarray(column)) for column in values.T),
            *(self._array(column, kinds[name]) for column, (name, _) in zip(others, columns.others, strict=True)),
        ]
        self._writer.write_table(self._arrow.table(arrays, schema=self._schema), row_group_size=len(values))
        self._blocks, self._count = [], 0

    def _array(self, cells: list[Any], kind: str) -> Any:
        if kind == "text":
            cells = [None if cell is None else _unicode(cell) for cell in cells]
        types = {"text": "string", "whole": "int64", "number": "float64", "flag": "bool_"}
        return self._arrow.array(cells, getattr(self._arrow, types[kind])())


def _unicode(text: str) -> str:
    """Replace bytes that are not Unicode by a backslash, an x and their digits, because Parquet stores Unicode only."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
