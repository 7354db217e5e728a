"""Tables that an index is read from: CSV, Parquet, pandas, and all that speaks Arrow."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import IO, Any, NamedTuple

from edgevoice.corpus.places import KEYS, stripped
from edgevoice.errors import ArgumentError, missing

_KINDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "b": ("flag", bool),
    "i": ("whole", int),
    "u": ("whole", int),
    "f": ("number", float),
}
"""Kind of a column, and type of its cells, by the kind of its dtype; all others are text."""


class Tabular(NamedTuple):
    """The rows of a table, read as they are asked for."""

    names: list[str]
    """Of its columns, without blanks around them."""
    kinds: list[str]
    """Of its columns: `text`, `whole`, `number` or `flag`."""
    rows: Iterator[tuple[int | None, Sequence[Any]]]
    """The line, where there are lines, and the cells."""


def of_file(file: IO[Any]) -> Tabular:
    """The table in an open CSV or Parquet file; CSV in UTF-8 or UTF-16, with commas, semicolons or tabs.

    Raises:
        ArgumentError: it is neither; reading its rows raises it too.
    """
    data = file.read()
    if isinstance(data, str):
        return _of_text(data)
    if data.startswith(b"PAR1"):
        return _of_parquet(data)
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    if encoding == "utf-8-sig" and b"\0" in data[:2]:
        encoding = "utf-16-le" if data[1] == 0 else "utf-16-be"
    try:
        return _of_text(data.decode(encoding, "surrogateescape" if encoding == "utf-8-sig" else "strict"))
    except UnicodeError as error:
        raise ArgumentError(f"is not text in a known encoding ({error})") from error


def _of_text(data: str) -> Tabular:
    text = io.StringIO(data, newline="")
    first = text.readline()
    stated = first[4:5] if first.lower().startswith("sep=") else ""  # as Excel does
    before = 1 if stated else 0
    first = text.readline() if stated else first
    split = {mark: next(csv.reader([first], delimiter=mark), []) for mark in stated or ",;\t"}
    mark = next((mark for mark, names in split.items() if "file" in (stripped(name).casefold() for name in names)), ",")
    blank = any(name[:1] == " " for name in split.get(mark, [])[1:])
    lines = csv.reader(chain([first], text), delimiter=mark, skipinitialspace=blank)
    names = [stripped(name) for name in next(lines, [])]

    def rows() -> Iterator[tuple[int, Sequence[Any]]]:
        try:
            for cells in filter(None, lines):
                if len(cells) != len(names):
                    raise ArgumentError(f"line {before + lines.line_num} has {len(cells)} cells, expected {len(names)}")
                yield before + lines.line_num, cells
        except csv.Error as error:
            raise ArgumentError(f"line {before + lines.line_num} is not CSV ({error})") from error

    return Tabular(names, ["text"] * len(names), rows())


def _of_parquet(data: bytes) -> Tabular:
    pyarrow = _arrow()
    from pyarrow import parquet

    try:
        return of_arrow(parquet.read_table(io.BytesIO(data)))
    except (pyarrow.ArrowException, OSError) as error:
        raise ArgumentError(f"is not a Parquet file ({error})") from error


def of_arrow(source: Any) -> Tabular:
    """The table in anything with Arrow's stream interface, such as a data frame of polars."""
    table = _arrow().table(source)
    table.validate(full=True)
    import pandas  # noqa: ICN001

    return of_pandas(table.to_pandas(types_mapper=pandas.ArrowDtype))


def _arrow() -> Any:
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
    if any(stripped(name).casefold() in KEYS for name in source.index.names):
        source = source.reset_index()
    names, kinds, columns = [stripped(name) for name in source.columns], [], []
    for k, name in enumerate(names):
        column = source.iloc[:, k]
        kind, cast = _KINDS.get(getattr(column.dtype, "kind", "O"), ("text", str))
        if name.casefold() in ("start", "end") and kind == "text":
            cast = lambda value: value  # noqa: E731 - durations, or what a person wrote
        kinds.append(kind)
        columns.append([None if none else cast(value) for value, none in zip(column, column.isna(), strict=True)])
    return Tabular(names, kinds, ((None, cells) for cells in zip(*columns, strict=True)))
