"""Tables that an index is read from, CSV, Parquet, pandas and Arrow, and their columns that say where audio is."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import IO, Any, NamedTuple

import numpy as np

from edgevoice.errors import ArgumentError, missing
from edgevoice.files import unicode_text

KEYS = ("file", "start", "end", "channel")

_BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u2060\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x2010))
)
"""Those that nobody sees too."""
_MOST = 1 << 20  # rows of a Parquet file that has fewer bytes than rows
_UNNAMED = re.compile(r"|index|unnamed: ?\d+([._]\w+)?|level_\d+|__index_level_\d+__")
"""Names that pandas gives an index without a name."""
_WHAT = "(segment|seg|utterance|utt|clip|chunk|speech|audio|time|t|x)?"
_UNIT = "(time|times|timestamp)?(s|secs?|seconds?|ms|msecs?|samples?|frames?)?"
_LOOKS = {
    "start": re.compile(f"{_WHAT}(start|begin|beginning|onset|from|[tx]min|t0){_UNIT}"),
    "end": re.compile(f"{_WHAT}(end|ending|stop|finish|to|until|[tx]max|t1){_UNIT}"),
    "either": re.compile(f"{_WHAT}(offset|duration|dur|length){_UNIT}"),
}
"""Names, in lower case and without punctuation, of columns that look like places in a file."""
_DURATION = re.compile(r"(?:(\d+) days?,? ?)?(?:(\d+):(\d\d):(\d\d(?:\.\d+)?))?")
_NOTHING = {"", "nat", "nan", "none", "null", "<na>"}

_Kinds = dict[str, tuple[str, Callable[[Any], Any]]]
_KINDS: _Kinds = {"b": ("flag", bool), "i": ("whole", int), "u": ("whole", int), "f": ("number", float)}
"""Kind of a column, and type of its cells, by the kind of its dtype; all others are text."""


class Tabular(NamedTuple):
    """A table: the names of its columns, without blanks around them, their kinds, and rows, read as they are asked for."""

    names: list[str]
    kinds: list[str]
    """`text`, `whole`, `number` or `flag`."""
    rows: Iterator[tuple[int | None, Sequence[Any]]]
    """The line, where there are lines, and the cells."""


def of_file(file: IO[Any]) -> Tabular:
    """The table in an open CSV or Parquet file; CSV in UTF-8 or UTF-16, with commas, semicolons or tabs."""
    data = file.read()
    try:
        if isinstance(data, str):
            return _of_text(data)
        if data.startswith(b"PAR1"):
            return of_arrow(data)
        encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        return _of_text(data.decode(encoding, "surrogateescape" if encoding == "utf-8-sig" else "strict"))
    except (UnicodeError, csv.Error) as error:
        raise ArgumentError(f"is not CSV in UTF-8 or UTF-16 ({error})") from error


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


def of_arrow(source: Any) -> Tabular:
    """The table in the bytes of a Parquet file, or in anything with Arrow's stream interface, as a data frame of polars."""
    try:
        import pyarrow  # noqa: ICN001
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise missing("pyarrow", "Parquet") from error
    import pandas  # noqa: ICN001

    try:
        if isinstance(source, bytes):
            file = parquet.ParquetFile(io.BytesIO(source))
            if (count := file.metadata.num_rows) > max(_MOST, len(source)):
                raise ArgumentError(f"has {count} rows in {len(source)} bytes, more than an index can have")
            source = file.read() if file.num_row_groups else file.schema_arrow.empty_table()
        table = pyarrow.table(source).replace_schema_metadata()  # what pandas noted of its index may be anything
        table.validate(full=True)
        return of_pandas(table.to_pandas(types_mapper=pandas.ArrowDtype))
    except (pyarrow.ArrowException, OSError, OverflowError) as error:
        raise ArgumentError(f"is not a Parquet file, or a damaged table ({error})") from error


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


def stripped(name: object) -> str:
    """The name of a column, Unicode, without the blanks around it."""
    return unicode_text(str(name).strip(_BLANKS))


def find_columns(names: Sequence[str], keep: Sequence[str] = ()) -> tuple[dict[str, int], list[int]]:
    """Find the columns of an index: those of `KEYS` by their names, and the numbers of the user's own.

    Names are compared without case. Those that pandas gives an unnamed index are left out. One that looks like a place in
    a file and is none of `KEYS` is an error, unless it is to be kept.
    """
    plain = [name.casefold() for name in names]
    used = [k for k, name in enumerate(plain) if not _UNNAMED.fullmatch(name)]
    kept = {stripped(name).casefold() for name in keep}
    for k in used:
        if plain[k] in plain[:k]:
            raise ArgumentError(f"two of its columns have the same name, {names[k]!r}")
    if unknown := kept.difference(plain):
        raise ArgumentError(f"it has no column {', '.join(sorted(unknown))} to keep")
    at = {plain[k]: k for k in used if plain[k] in KEYS}
    own = [k for k in used if plain[k] not in KEYS]
    others = [names[k] for k in own if plain[k] not in kept]
    like = {
        side: [name for name in others if look.fullmatch(re.sub(r"\W|_", "", name).casefold())]
        for side, look in _LOOKS.items()
    }
    missing = [side for side in ("start", "end") if side not in at]
    found = [name for side in missing for name in like[side]]
    if missing and (len(missing) == 1 or found or len(like["either"]) > 1):
        found += like["either"]
    if found:
        raise ArgumentError(
            f"its column {found[0]!r} looks like a place, and there is no column {' and no '.join(missing)}: expected start "
            f"and end, in seconds; rename it, or keep it as your own (--keep {found[0]}, in Python keep=[{found[0]!r}])"
        )
    return at, own


def read_seconds(value: Any) -> float | None:
    """Convert a number, a text, or a duration of pandas, NumPy or Python to seconds; None for a missing value."""
    if hasattr(value, "to_numpy"):  # a duration of pandas, exactly
        value = value.to_numpy()
    nothing = np.isnat(value) if isinstance(value, np.timedelta64 | np.datetime64) else _is_nothing(value)
    if nothing:
        return None
    seconds = math.nan
    if isinstance(value, str):
        seconds = _parsed(value.strip())
    elif isinstance(value, np.timedelta64):
        seconds = int(value.astype("timedelta64[ns]").astype(np.int64)) / 1e9
    elif hasattr(value, "total_seconds"):
        seconds = value.total_seconds()
    elif hasattr(value, "__float__") and not isinstance(value, bool | np.bool_):  # a decimal of DuckDB's too
        with suppress(OverflowError):
            seconds = float(value)
    if not math.isfinite(seconds):
        raise ArgumentError(f"is {str(value)[:40]!r}: expected seconds, a duration, or nothing")
    return seconds


def _is_nothing(value: Any) -> bool:
    missing = value is None or (isinstance(value, float | np.floating) and value != value)
    return missing or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _parsed(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        found = _DURATION.fullmatch(text)
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (math.nan,) * 4
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def read_channel(value: Any) -> int | None:
    """Convert a number or a text to the number of a channel; None for a missing value."""
    if _is_nothing(value):
        return None
    try:
        number = float(value)
        if number.is_integer() and number >= 0:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ArgumentError(f"is {str(value)[:40]!r}: expected a whole number from 0 on, or nothing")
