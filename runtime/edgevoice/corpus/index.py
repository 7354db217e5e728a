"""The index of what is read: rows of (file, start, end) from folders, lists, CSV files and audformat indices."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from edgevoice.audio.folders import find_audio
from edgevoice.audio.paths import absolute, is_folder
from edgevoice.errors import ArgumentError, AudioError, AudioFileNotFoundError, AudioFormatError

IndexSource = Any
"""What `read_index` accepts."""

Cell = str | int | float | bool | None
"""A cell of a user's column."""

_KEYS = ("file", "start", "end", "channel")
_OURS = re.compile(
    r"file|start|end|channel|index|frames|silent|gap|loudness|((mean|std|skewness|kurtosis)_)?(bottleneck|error)_\d+"
)
"""Names of table columns that EdgeVoice writes; a user's column may not have one of them."""
_DURATION = re.compile(r"(?:(\d+) days?,? ?)?(?:(\d+):(\d\d):(\d\d(?:\.\d+)?))?")
_NOTHING = {"", "nat", "nan", "none", "null", "<na>"}


class Row(NamedTuple):
    """One row: a file, or a part of it."""

    file: str
    """The name in tables: the path relative to the root, or as it was given."""
    path: str
    """The path that is opened."""
    start: float | None = None
    """Start in seconds; None is the start of the file."""
    end: float | None = None
    """End in seconds; None is the end of the file."""
    channel: int | None = None
    """The channel, counted from 0; None for the channel that is chosen for all rows."""
    others: tuple[Cell, ...] = ()
    """Cells of the user's columns."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index: rows in order."""

    rows: tuple[Row, ...]
    columns: tuple[tuple[str, str], ...] = ()
    """Name and kind (`text`, `whole`, `number` or `flag`) of each of the user's columns."""
    has_channel: bool = False
    unread: int = 0
    """The number of files in the searched folders whose suffix is not that of audio."""
    errors: tuple[tuple[str, AudioError], ...] = ()
    """Inputs that could not be searched, by their names, with the reason."""


def read_index(source: IndexSource, root: str | os.PathLike[str] | None = None) -> Index:
    """Read an index.

    Args:
        source: a folder, which is searched; the path of a CSV file, or one that is open; the path of an audio file; a
            sequence of paths, or of (file, start, end) with seconds or durations; an audformat index or table,
            or any `pandas.DataFrame` with `file`, `start`, `end` and `channel` as its index or among its columns. A CSV has
            a line of names: `file` and, where they are wanted, `start` and `end` (seconds, or durations as pandas writes
            them) and `channel`. No end, an empty one or NaT is the end of the file. Other columns are kept unchanged; from
            a CSV they are text.
        root: the folder that relative files are in, and that `file` is written relative to; if None, it is the folder
            that was given, else that of the CSV file, else the current one.

    Raises:
        ArgumentError: the source is none of these, a row cannot be understood, or a column has the name of one of ours.
        AudioFileNotFoundError: the folder or the CSV file is not there, or no audio is in the folder.
        AudioFormatError: it cannot be read.
    """
    root = None if root is None else os.fspath(root)
    if root is not None and not is_folder(Path(root)):
        raise AudioFileNotFoundError(f"{root}: no such folder, expected the root of the files")
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if path.lower().endswith(".csv") and not is_folder(Path(path)):
            return read_csv_file(path, root)
        index = index_of_inputs([path], root)
        if index.errors and not index.rows:
            raise index.errors[0][1]
        return index
    if hasattr(source, "read"):
        return _of_csv(source, str(getattr(source, "name", "the index")), root)
    source = getattr(source, "df", source)  # an audformat table
    if hasattr(source, "get_level_values") or (hasattr(source, "index") and hasattr(source, "to_frame")):
        return _of_pandas(source, root)
    if hasattr(source, "columns") and hasattr(source, "reset_index"):
        return _of_pandas(source, root)
    if isinstance(source, Iterable):
        return _of_rows(source, root)
    raise ArgumentError(
        f"an index that is {type(source).__name__}: expected a folder, paths, (file, start, end) rows, a CSV file, or an "
        "audformat index or table"
    )


def index_of_inputs(names: Sequence[str], root: str | None = None) -> Index:
    """Make an index of the files and folders on a command line, relative to the current folder; no file appears twice.

    Args:
        names: folders are searched for audio, their files sorted.
        root: see `read_index`.
    """
    if root is None:
        root = names[0] if len(names) == 1 and is_folder(Path(names[0] or "/dev/null")) else os.curdir
    named = _Named(root)
    rows: dict[str, Row] = {}
    errors: list[tuple[str, AudioError]] = []
    unread = 0
    for name in names:
        path = Path(name)
        try:
            if not name:
                raise AudioFileNotFoundError("'': no such file or folder")  # Path would treat it as the current folder
            if is_folder(path):
                found = find_audio(path)
                unread += found.others
                errors += found.errors
                files = [str(file) for file in found.files]
            else:
                files = [name]
            for file in files:
                rows.setdefault(absolute(Path(file)), Row(named(file), file))
        except AudioError as error:
            errors.append((name, error))
    return Index(tuple(rows.values()), unread=unread, errors=tuple(errors))


class _Named:
    """The names of files in tables: relative to the root for files below it, otherwise as they were given."""

    def __init__(self, root: str) -> None:
        self._root = os.path.join(absolute(Path(root)), "")  # noqa: PTH118

    def __call__(self, file: str) -> str:
        place = absolute(Path(file))
        # For Windows, C: and c: are the same.
        below = os.path.normcase(place).startswith(os.path.normcase(self._root))
        return Path(place[len(self._root) :]).as_posix() if below else file


def _located(root: str | None) -> Callable[[str], tuple[str, str]]:
    """A function that converts a file of an index, relative to the root, to its name in tables and its path."""
    named = _Named(os.curdir if root is None else root)

    def locate(file: str) -> tuple[str, str]:
        if os.path.isabs(file):  # noqa: PTH117
            return named(file), file
        # Other tables of a corpus use the same names as its index.
        return file, file if root is None else os.path.join(root, file)  # noqa: PTH118

    return locate


def read_csv_file(path: str, root: str | None = None) -> Index:
    """The rows of a CSV file: see `read_index`."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:  # noqa: PTH123
            return _of_csv(file, path, os.path.dirname(path) or None if root is None else root)  # noqa: PTH120
    except FileNotFoundError as error:
        raise AudioFileNotFoundError(f"{path}: no such file, expected an index (CSV)") from error
    except OSError as error:
        raise AudioFormatError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error


def _of_csv(file: IO[str] | IO[bytes], name: str, root: str | None) -> Index:
    text: Any = file
    if isinstance(file.read(0), bytes):
        text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    try:
        lines = csv.reader(text)
        names = next(lines, [])
        if "file" not in names:
            raise ArgumentError(
                f"{name}: its first line has no column 'file'; expected file[,start,end,channel] and any others"
            )
        rows = []
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(names):
                raise ArgumentError(f"{name}: line {lines.line_num} has {len(cells)} cells, expected {len(names)}")
            rows.append(cells)
    except csv.Error as error:
        raise ArgumentError(f"{name}: line {lines.line_num} is not CSV ({error})") from error
    finally:
        if text is not file:
            text.detach()
    kinds = dict.fromkeys(names, "text")
    if len(kinds) != len(names):
        raise ArgumentError(f"{name}: two of its columns have the same name")
    return _assembled(name, names, kinds, rows, root)


def _of_rows(source: Iterable[Any], root: str | None) -> Index:
    rows: list[tuple[Any, ...]] = []
    for item in source:
        if isinstance(item, str | os.PathLike):
            rows.append((os.fspath(item), None, None))
        elif isinstance(item, Sequence) and len(item) == 3:
            rows.append((os.fspath(item[0]), *item[1:]))
        else:
            raise ArgumentError(f"a row {item!r}: expected a path, or (file, start, end)")
    index = _assembled("the index", ["file", "start", "end"], {}, rows, root)
    if any(row.start is not None or row.end is not None for row in index.rows):
        return index
    # Only plain paths may be folders.
    folders = [is_folder(Path(row.path)) for row in index.rows]
    if not any(folders):
        return index
    named, expanded, unread = _Named(root or os.curdir), [], 0
    errors: tuple[tuple[str, AudioError], ...] = ()
    for row, folder in zip(index.rows, folders, strict=True):
        if folder:
            found = find_audio(Path(row.path))
            unread += found.others
            errors += found.errors
            expanded += [Row(named(str(file)), str(file)) for file in found.files]
        else:
            expanded.append(row)
    return Index(tuple(expanded), unread=unread, errors=errors)


def _of_pandas(source: Any, root: str | None) -> Index:
    if hasattr(source, "get_level_values"):  # an index
        source = source.to_frame(index=False)
    elif not hasattr(source, "columns"):  # a series
        source = source.to_frame(source.name if source.name is not None else "value")
    if any(name in _KEYS for name in source.index.names):
        source = source.reset_index()
    names = [str(name) for name in source.columns]
    if "file" not in names:
        raise ArgumentError("the index: has no level and no column 'file'; an audformat index has file, start and end")
    kinds = {name: _kind(source.iloc[:, k].dtype) for k, name in enumerate(names)}
    columns = [_cells(source.iloc[:, k], kinds[name], name) for k, name in enumerate(names)]
    return _assembled("the index", names, kinds, list(zip(*columns, strict=True)), root)


def _kind(dtype: Any) -> str:
    kind = getattr(dtype, "kind", "O")
    return {"b": "flag", "i": "whole", "u": "whole", "f": "number"}.get(kind, "text")


def _cells(column: Any, kind: str, name: str) -> Iterator[Any]:
    cast: Callable[[Any], Any] = {"flag": bool, "whole": int, "number": float, "text": str}[kind]
    missing = column.isna()
    if name in ("start", "end") and kind == "text":
        cast = lambda value: value  # noqa: E731 - durations, or what a person wrote
    return (None if nothing else cast(value) for value, nothing in zip(column, missing, strict=True))


def _assembled(
    name: str, names: Sequence[str], kinds: dict[str, str], rows: Iterable[Sequence[Any]], root: str | None
) -> Index:
    own = [k for k, column in enumerate(names) if column not in _KEYS]
    for k in own:
        if _OURS.fullmatch(names[k]) or not names[k]:
            raise ArgumentError(f"{name}: its column {names[k]!r} has the name of a column of EdgeVoice's own: rename it")
    at = {column: names.index(column) for column in _KEYS if column in names}
    locate = _located(root)
    result = []
    for number, cells in enumerate(rows, 1):
        where = f"{name}: row {number}"
        file = cells[at["file"]]
        if not file:
            raise ArgumentError(f"{where} has no file")
        start, end = (_seconds(cells[at[key]], f"{where}: {key}") if key in at else None for key in ("start", "end"))
        channel = _channel(cells[at["channel"]], where) if "channel" in at else None
        if end is not None and end <= (start or 0):
            raise ArgumentError(f"{where} ({file}): its end, {end}, is not after its start, {start or 0}")
        result.append(Row(*locate(str(file)), start, end, channel, tuple(cells[k] for k in own)))
    columns = tuple((names[k], kinds[names[k]]) for k in own)
    return Index(tuple(result), columns, "channel" in at)


def _seconds(value: Any, where: str) -> float | None:
    """Convert a number, a text, or a duration of pandas, NumPy or Python to seconds; None for a missing value."""
    seconds: float | None = None
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return None
    if isinstance(value, str):
        seconds = _parsed(value.strip())
    elif hasattr(value, "to_numpy") or isinstance(value, np.timedelta64):
        duration = value if isinstance(value, np.timedelta64) else value.to_numpy()
        if np.isnat(duration):
            return None
        seconds = int(duration.astype("timedelta64[ns]").astype(np.int64)) / 1e9
    elif hasattr(value, "total_seconds"):
        seconds = value.total_seconds()
    elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
        seconds = float(value)
        if np.isnan(seconds):
            return None
    if seconds is None or not 0 <= seconds < float("inf"):
        raise ArgumentError(f"{where} is {value!r}: expected seconds from 0 on, a duration, or nothing")
    return seconds


def _parsed(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        found = _DURATION.fullmatch(text)
    if not found or not text:
        return None
    days, hours, minutes, seconds = (part or "0" for part in found.groups())
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _channel(value: Any, where: str) -> int | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return None
    try:
        number = float(value)
        if number.is_integer() and number >= 0:
            return int(number)
    except (TypeError, ValueError):
        pass
    raise ArgumentError(f"{where}: channel is {value!r}: expected a whole number from 0 on, or nothing")
