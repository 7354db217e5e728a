"""The index of what is read: rows of (file, start, end) from folders, lists, data frames, CSV and Parquet files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgevoice.audio.folders import absolute, find_audio, is_folder
from edgevoice.corpus.tabular import Tabular, find_columns, of_arrow, of_file, of_pandas, read_channel, read_seconds
from edgevoice.errors import ArgumentError, AudioError, AudioFileNotFoundError, AudioFormatError, EdgeVoiceError
from edgevoice.files import unicode_text

IndexSource = Any
"""What `read_index` accepts."""

_SUFFIXES = (".csv", ".tsv", ".parquet")  # of the files that are an index, not audio
_READERS = {"start": read_seconds, "end": read_seconds, "channel": read_channel}


class Row(NamedTuple):
    """One row: a file, or a part of it."""

    file: str
    """The name in tables: as it was given, or relative to the root."""
    path: str
    """The path that is opened."""
    start: float | None = None
    """Start in seconds; None is the start of the file."""
    end: float | None = None
    """End in seconds; None is the end of the file."""
    channel: int | None = None
    """The channel, counted from 0; None for the channel that is chosen for all rows."""
    others: tuple[str | int | float | bool | None, ...] = ()
    """Cells of the user's columns."""
    pipe: bool = False
    """Whether it is the path of a pipe that a command names. A pipe in an index is refused when it is read."""


class Failure(NamedTuple):
    """A row that could not be computed, or an input that could not be searched."""

    row: Row
    error: EdgeVoiceError


@dataclass(frozen=True, slots=True)
class Index:
    """An index: rows in order."""

    rows: tuple[Row, ...]
    columns: tuple[tuple[str, str], ...] = ()
    """Name and kind (`text`, `whole`, `number` or `flag`) of each of the user's columns."""
    has_channel: bool = False
    unread: int = 0
    """The number of files in the searched folders whose suffix is not that of audio."""
    errors: tuple[Failure, ...] = ()
    """Inputs and folders below them that could not be searched."""


def read_index(source: IndexSource, root: str | os.PathLike[str] | None = None, keep: Sequence[str] = ()) -> Index:
    """Read an index.

    Args:
        source: a folder, which is searched; the path of a CSV or Parquet file, or one that is open; the path of an audio
            file; a sequence of paths, or of (file, start, end) with seconds or durations; an audformat index or table; a
            data frame of pandas or polars with `file`, `start`, `end` and `channel`; a series, or a data frame of one text
            column, that holds paths. A CSV has a line of names: `file` and, where they are wanted, `start` and `end`
            (seconds, or durations as pandas writes them) and `channel`. No end, an empty one or NaT is the end of the file.
            Other columns are kept unchanged; from a CSV they are text.
        root: the folder that relative files are in, and that `file` is written relative to; if None, files are in the
            folder that was given, else in that of the CSV, else in the current one, and an index keeps its names.
        keep: the user's own columns that look like places in a file, such as `onset`, which are refused otherwise.

    Raises:
        ArgumentError: the source is none of these, or a row or a column cannot be understood.
        AudioFileNotFoundError: the folder or the file is not there, or no audio is in the folder.
        AudioFormatError: it cannot be read.
    """
    root = None if root is None else os.fspath(root)
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if path.lower().endswith(_SUFFIXES) and not is_folder(Path(path)):
            return read_index_file(path, root, keep)
        index = index_of_inputs([path], root)
        if index.errors and not index.rows:
            raise index.errors[0][1]
        return index
    if hasattr(source, "read"):
        with _naming(str(getattr(source, "name", "the index"))):
            return _of_table(of_file(source), root, "", keep)
    source = getattr(source, "df", source)  # an audformat table
    with _naming("the index"):
        if hasattr(source, "get_level_values") or hasattr(source, "iloc"):
            return _of_table(of_pandas(source), root, None, keep)
        if hasattr(source, "__arrow_c_stream__") and (hasattr(source, "columns") or hasattr(source, "column_names")):
            return _of_table(of_arrow(source), root, None, keep)
        if isinstance(source, Iterable) and not isinstance(source, bytes | Mapping):
            return _of_rows(source, root)
    raise ArgumentError(
        f"an index that is {type(source).__name__}: expected a folder, paths, (file, start, end) rows, a CSV or Parquet "
        "file, a data frame, or an audformat index or table"
    )


def index_of_inputs(names: Sequence[str], root: str | None = None) -> Index:
    """Make an index of the files and folders on a command line, relative to the current folder; no file appears twice.

    Folders are searched for audio, their files sorted. What cannot be searched is in `errors`.
    """
    if root is None:
        root = names[0] if len(names) == 1 and is_folder(Path(names[0] or os.devnull)) else os.curdir
    named = _namer(root)
    rows: dict[str, Row] = {}
    errors: list[Failure] = []
    unread = 0
    for name in names:
        try:
            if not name:
                raise AudioFileNotFoundError("'': no such file or folder")  # Path would treat it as the current folder
            found = [Row(named(name), name, pipe=_is_pipe(name))]
            if is_folder(Path(name)):
                inside = find_audio(Path(name))
                found = [Row(named(str(file)), str(file)) for file in inside.files]
                errors += [Failure(Row(named(place), named(place)), error) for place, error in inside.errors]
                unread += inside.others
            for row in found:
                rows.setdefault(absolute(Path(row.path)), row)
        except AudioError as error:
            errors.append(Failure(Row(name, name), error))
    return Index(tuple(rows.values()), unread=unread, errors=tuple(errors))


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)  # noqa: PTH116
    except (OSError, ValueError):
        return False


def _namer(root: str) -> Callable[[str], str]:
    """The names of files in tables: relative to the root for files below it, otherwise as they were given."""
    if not is_folder(Path(root)):
        raise AudioFileNotFoundError(f"{root}: no such folder, expected the root of the files")
    above = os.path.join(absolute(Path(root)), "")  # noqa: PTH118
    everything = Path(above).parent == Path(above)  # to be below the root of the file system says nothing

    def named(file: str) -> str:
        place = absolute(Path(file))
        # For Windows, C: and c: are the same.
        if everything or not os.path.normcase(place).startswith(os.path.normcase(above)):
            return file
        return Path(place[len(above) :]).as_posix()

    return named


def read_index_file(path: str, root: str | None = None, keep: Sequence[str] = ()) -> Index:
    """The rows of a CSV or Parquet file: see `read_index`."""
    try:
        with open(path, "rb") as file, _naming(path):  # noqa: PTH123
            folder = "" if _is_pipe(path) else os.path.dirname(path)  # noqa: PTH120 - /dev has no recordings
            return _of_table(of_file(file), root, folder, keep)
    except EdgeVoiceError:
        raise
    except FileNotFoundError as error:
        raise AudioFileNotFoundError(f"{path}: no such file, expected an index (CSV or Parquet)") from error
    except (OSError, ValueError) as error:
        raise AudioFormatError(f"{path}: cannot be read ({str(getattr(error, 'strerror', error)).lower()})") from error


def _of_rows(source: Iterable[Any], root: str | None) -> Index:
    lines: list[tuple[None, tuple[Any, ...]]] = []
    items = list(source)
    paths = [os.fsdecode(item) for item in items if isinstance(item, str | os.PathLike)]
    if len(paths) == len(items) and any(is_folder(Path(path)) for path in paths):
        return index_of_inputs(paths, root)
    for item in items:
        if isinstance(item, str | os.PathLike):
            lines.append((None, (os.fsdecode(item), None, None)))
        elif isinstance(item, Sequence | np.ndarray) and len(item) == 3 and isinstance(item[0], str | os.PathLike):
            lines.append((None, (os.fsdecode(item[0]), *item[1:])))
        else:
            raise ArgumentError(f"a row {str(item)[:80]!r}: expected a path, or (file, start, end)")
    return _of_table(Tabular(["file", "start", "end"], ["text"] * 3, iter(lines)), root, None)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Let what is wrong with an index begin with its name."""
    try:
        yield
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}") from error


def _of_table(table: Tabular, root: str | None, folder: str | None, keep: Sequence[str] = ()) -> Index:
    """The index in a table.

    `folder` is the one that its relative files are in where there is no root, None where the table is not from a file.
    """
    names, kinds = table.names, table.kinds
    try:
        at, own = find_columns(names, keep)
        if "file" not in at:
            if at or [kinds[k] for k in own] != ["text"] or folder is not None:
                raise ArgumentError(f"no column 'file' among {', '.join(repr(name[:40]) for name in names[:9]) or 'none'}")
            at, own = {"file": own[0]}, []  # one column of texts is the paths
    except ArgumentError as error:
        raise ArgumentError(f"{error}; expected file[,start,end,channel] and any others") from error
    named = None if root is None else _namer(root)
    above = folder if root is None else root

    @lru_cache(maxsize=1 << 12)
    def located(file: str) -> tuple[str, str]:
        if os.path.isabs(file):  # noqa: PTH117
            return named(file) if named else file, file
        return file, os.path.join(above, file) if above else file  # noqa: PTH118 - the name that other tables have

    present = [key for key in _READERS if key in at]

    @lru_cache(maxsize=1 << 12)  # labels are repeated: once in memory
    def shared(cells: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(unicode_text(cell) if isinstance(cell, str) else cell for cell in cells)

    rows = []
    for number, (line, cells) in enumerate(table.rows, 1):
        place: dict[str, Any] = {"others": shared(tuple(cells[k] for k in own))}
        key = "file"
        try:
            if not (file := cells[at["file"]]):
                raise ArgumentError("is empty")
            for key in present:
                place[key] = _READERS[key](cells[at[key]])
        except ArgumentError as error:
            where = f"row {number}" if line is None else f"row {number} (line {line})"
            raise ArgumentError(f"{where}: {key} {error}") from error
        rows.append(Row(*located(str(file)), **place))
    return Index(tuple(rows), tuple((names[k], kinds[k]) for k in own), "channel" in at)
