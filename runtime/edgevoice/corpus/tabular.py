"""Tables that an index is read from: CSV, Parquet, pandas, and all that speaks Arrow."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import IO, Any, NamedTuple

from edgevoice.corpus.places import KEYS, stripped
from edgevoice.errors import ArgumentError, EdgeVoiceError, missing

Cells = Sequence[Any]

_PARQUET = b"PAR1"
_BOMS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16"}
_BOMS[codecs.BOM_UTF16_BE] = "utf-16"  # after that of UTF-32, which begins with that of UTF-16
_ROWS = 1 << 14
"""Rows of a Parquet file that are in memory at a time."""


class Tabular(NamedTuple):
    """The rows of a table, read as they are asked for."""

    names: list[str]
    """Of its columns, without blanks around them."""
    kinds: list[str]
    """Of its columns: `text`, `whole`, `number` or `flag`."""
    rows: Iterator[tuple[int | None, Cells]]
    """The line, where there are lines, and the cells."""


@contextmanager
def of_file(file: IO[Any]) -> Iterator[Tabular]:
    """The table in an open CSV or Parquet file; CSV in UTF-8, UTF-16 or UTF-32, with commas, semicolons or tabs.

    The file stays open. Its rows are read within the context.

    Raises:
        ArgumentError: it is neither; reading its rows raises it too.
    """
    if isinstance(file.read(0), str):
        yield _of_text(file)
        return
    with ExitStack() as stack:
        buffered: Any = file
        if not hasattr(file, "peek"):
            buffered = io.BufferedReader(file)
            stack.callback(buffered.detach)
        head = buffered.peek(4)[:4]
        if head == _PARQUET:
            yield _of_parquet(buffered if buffered.seekable() else io.BytesIO(buffered.read()))
            return
        encoding = next((name for mark, name in _BOMS.items() if head.startswith(mark)), "utf-8-sig")
        if encoding == "utf-8-sig" and b"\0" in head:
            encoding = "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
        text = io.TextIOWrapper(buffered, encoding, "surrogateescape" if encoding == "utf-8-sig" else "strict", newline="")
        stack.callback(text.detach)
        yield _of_text(text)


def _of_text(text: IO[str]) -> Tabular:
    try:
        first = text.readline()
    except UnicodeError as error:
        raise ArgumentError(f"is not text in a known encoding ({error})") from error
    stated = first[4:5] if first.lower().startswith("sep=") else ""  # as Excel does
    before = 1 if stated else 0
    first = text.readline() if stated else first
    split = {mark: next(csv.reader([first], delimiter=mark), []) for mark in stated or ",;\t"}
    mark = next((mark for mark, names in split.items() if "file" in map(_plain, names)), ",")
    blank = any(name[:1] == " " for name in split.get(mark, [])[1:])
    lines = csv.reader(chain([first], text), delimiter=mark, skipinitialspace=blank)
    names = [stripped(name) for name in next(lines, [])]

    def rows() -> Iterator[tuple[int, Cells]]:
        try:
            for cells in lines:
                if cells and len(cells) != len(names):
                    raise ArgumentError(f"line {before + lines.line_num} has {len(cells)} cells, expected {len(names)}")
                if cells:
                    yield before + lines.line_num, cells
        except (csv.Error, UnicodeError) as error:
            raise ArgumentError(f"line {before + lines.line_num} is not CSV ({error})") from error

    return Tabular(names, ["text"] * len(names), rows())


def _plain(name: str) -> str:
    return stripped(name).casefold()


def _of_parquet(file: IO[bytes]) -> Tabular:
    pyarrow = import_arrow()
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(file)
        return _of_batches(opened.schema_arrow, opened.iter_batches(_ROWS))
    except (pyarrow.ArrowException, OSError) as error:
        raise ArgumentError(f"is not a Parquet file ({error})") from error


def of_arrow(source: Any) -> Tabular:
    """The table in anything with Arrow's stream interface, such as a data frame of polars."""
    reader = import_arrow().RecordBatchReader.from_stream(source)
    return _of_batches(reader.schema, reader)


def _of_batches(schema: Any, batches: Any) -> Tabular:
    from pyarrow import types

    def kind(dtype: Any) -> str:
        return (
            ("flag" if types.is_boolean(dtype) else "")
            or ("whole" if types.is_integer(dtype) else "")
            or ("number" if types.is_floating(dtype) else "text")
        )

    names, kinds = [stripped(name) for name in schema.names], [kind(dtype) for dtype in schema.types]

    def rows() -> Iterator[tuple[None, Cells]]:
        try:
            for batch in batches:
                columns = [_texts(column.to_pylist(), *of) for column, *of in zip(batch.columns, names, kinds, strict=True)]
                yield from ((None, cells) for cells in zip(*columns, strict=True))
        except EdgeVoiceError:
            raise
        except Exception as error:
            raise ArgumentError(f"cannot be read ({error})") from error

    return Tabular(names, kinds, rows())


def _texts(cells: list[Any], name: str, kind: str) -> list[Any]:
    """Make texts of what has no type of ours, except for times, which may be durations."""
    if kind != "text" or name.casefold() in ("start", "end"):
        return cells
    return [None if cell is None else str(cell) for cell in cells]


def import_arrow() -> Any:
    """The package pyarrow.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import pyarrow  # noqa: ICN001
    except ModuleNotFoundError as error:
        raise missing("pyarrow", "Parquet") from error
    return pyarrow


def of_pandas(source: Any) -> Tabular:
    """The table in an index, a series or a data frame of pandas; audformat's keys may be in the index."""
    if hasattr(source, "get_level_values"):  # an index
        source = source.to_frame(index=False)
    elif not hasattr(source, "columns"):  # a series
        source = source.to_frame("value" if source.name is None else source.name)
    if any(_plain(str(name)) in KEYS for name in source.index.names):
        source = source.reset_index()
    names = [stripped(name) for name in source.columns]
    kinds = [_kind(source.iloc[:, k].dtype) for k in range(len(names))]
    columns = [_cells(source.iloc[:, k], kind, name) for k, (kind, name) in enumerate(zip(kinds, names, strict=True))]
    return Tabular(names, kinds, ((None, cells) for cells in zip(*columns, strict=True)))


def _kind(dtype: Any) -> str:
    kind = getattr(dtype, "kind", "O")
    return {"b": "flag", "i": "whole", "u": "whole", "f": "number"}.get(kind, "text")


def _cells(column: Any, kind: str, name: str) -> Iterator[Any]:
    cast: Callable[[Any], Any] = {"flag": bool, "whole": int, "number": float, "text": str}[kind]
    missing = column.isna()
    if name.casefold() in ("start", "end") and kind == "text":
        cast = lambda value: value  # noqa: E731 - durations, or what a person wrote
    return (None if nothing else cast(value) for value, nothing in zip(column, missing, strict=True))
