"""The interface of table formats, the list of formats, and how a table is written and read."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.folders import is_file
from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.errors import ArgumentError, EdgeVoiceError, OutputError, missing
from edgevoice.files import whole_files
from edgevoice.recipe import Recipe

_LARGEST = 1 << 22
"""Characters of a sidecar among which its recipe is: nothing more of it is read."""
_LONGEST = 200
"""Characters of a library's message that are repeated."""
_BEGINNING = re.compile(r'\s*\{\s*"recipe"\s*:\s*')


class Content(NamedTuple):
    """The content of a table."""

    values: NDArray[np.float32]
    """Descriptors or functionals, (rows, numbers)."""
    columns: dict[str, list[Any]]
    """All other columns by name; in CSV all cells are text. Formats without columns have none; ark has `file`."""


class Table:
    """A table in one format: an object writes one, row by row; the class reads them.

    The recipe is in the table, or in a sidecar, a JSON file beside it: an object with `recipe` and, where the format names
    neither rows nor columns, `columns`, the names of the numbers, and `sources`: for each index row its `file`, the `start`
    and `end` of what was read (seconds), its `channel` where there are several, its number of `rows`, and the user's cells.

    The file, open in binary, stays open; `path` is its final path, as the user wrote it.
    """

    beside: ClassVar[tuple[str, ...]] = ("{path}.json",)
    """The names of its sidecars, by its `path`, or that without the suffix, `stem`."""
    package: ClassVar[str] = ""
    """What has to be installed."""

    def __init__(self, file: IO[bytes], columns: Columns, recipe: Recipe | None, path: str) -> None:
        self._file, self._columns, self._recipe, self._path = file, columns, recipe, path
        self._names: dict[str, Any] = {}
        self.begin()

    def begin(self) -> None:
        """Write what comes before the first row."""

    def write(self, rows: TableRows) -> None:
        """Add the rows that one row of the index gives."""
        raise NotImplementedError

    def finish(self) -> None:
        """Complete the table; the file stays open."""

    def drop(self) -> None:
        """Discard a table that is not complete, while its file is still open."""

    def sidecars(self) -> list[bytes]:
        """The content of each sidecar, when the table is complete."""
        content = {"recipe": None if self._recipe is None else self._recipe.to_dict(), **self._names}
        return [f"{json.dumps(content, indent=1)}\n".encode()]

    def keep_names(self, rows: TableRows) -> None:
        """Keep the names of rows and columns for the sidecar."""
        names = self._names or {"columns": self._columns.values, "sources": []}
        channel = {"channel": rows.row.channel} if "channel" in self._columns.kinds else {}
        place = {"file": rows.row.file, "start": rows.start, "end": rows.end}
        names["sources"].append({**place, **channel, "rows": len(rows), **rows.others})
        self._names = names

    @classmethod
    def read(cls, path: Path, others: bool) -> Content:
        """Read the numbers and, with `others`, the other columns. A malformed table may raise any exception."""
        raise NotImplementedError

    @classmethod
    def read_recipe(cls, path: Path) -> str | None:
        """Read the recipe, JSON; None where there is none."""
        return _sidecar_recipe(f"{path}.json")


FORMATS = {
    "csv": ("csvfile", "CsvTable"),
    "npy": ("numpyfile", "NpyTable"),
    "npz": ("numpyfile", "NpzTable"),
    "parquet": ("parquetfile", "ParquetTable"),
    "jsonl": ("jsonlines", "JsonlTable"),
    "ark": ("arkfile", "ArkTable"),
}
"""The names of the formats, which are their suffixes too, with module and class."""


def table_format(path: str | os.PathLike[str]) -> str:
    """The name of the format for the suffix of a path.

    Raises:
        ArgumentError: it names no known format.
    """
    name = Path(path).suffix.lower().removeprefix(".")
    if name not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise ArgumentError(f"{path}: no table format has the suffix '.{name}'; known are {known}")
    return name


def table_kind(name: str) -> type[Table]:
    """The class of a format.

    Raises:
        MissingPackageError: a package that it needs is not installed.
    """
    module, kind = FORMATS[name]
    found = cast("type[Table]", getattr(importlib.import_module(f"edgevoice.tables.{module}"), kind))
    if found.package and importlib.util.find_spec(found.package) is None:
        raise missing(found.package, f"the format {name}")
    return found


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """The files that a table of this path is: itself, then its sidecars."""
    stem = os.path.splitext(path)[0]  # noqa: PTH122
    beside = table_kind(table_format(path)).beside
    return [Path(path), *(Path(name.format(path=os.fspath(path), stem=stem)) for name in beside)]


def obstacle(path: str | os.PathLike[str]) -> Path | None:
    """The first file that a table of this path would replace; a recipe of ours is none where its table is gone."""
    return next((file for file, replaced in _replaced(path).items() if is_file(file) and not replaced), None)


def _replaced(path: str | os.PathLike[str]) -> dict[Path, bool]:
    """The files of a table, and whether each may be replaced without being asked for."""
    table, *sidecars = files_of(path)
    gone = not os.path.lexists(table)
    return {table: False, **{file: gone and _sidecar_recipe(str(file)) is not None for file in sidecars}}


@contextmanager
def open_table(
    path: str | os.PathLike[str], columns: Columns, recipe: Recipe | None = None, *, replace: bool = True
) -> Iterator[Table]:
    """A table in a file, in the format of its suffix. It appears with its sidecars when it is complete, or not at all.

    Files that are there by then are replaced if that is allowed; a recipe of ours whose table is gone always is.

    Raises:
        ArgumentError: the suffix names no known format.
        MissingPackageError: a package that the format needs is not installed.
        OutputError: it cannot be written.
    """
    kind = table_kind(table_format(path))
    # The table comes last: where it is, all of it is.
    places = {file: replace or replaced for file, replaced in reversed(_replaced(path).items())}
    with whole_files(places) as (*sidecars, file):
        table = kind(file, columns, recipe, os.fspath(path))
        try:
            yield table
            table.finish()
            for sidecar, content in zip(reversed(sidecars), table.sidecars(), strict=False):
                sidecar.write(content)
        except BaseException:
            table.drop()
            raise


def _sidecar_recipe(path: str) -> str | None:
    """The recipe in a sidecar, JSON; None where there is none. It comes first: the rest may be long."""
    if not is_file(path):  # a pipe would keep it waiting
        return None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            text = file.read(_LARGEST)
        begins = _BEGINNING.match(text)
        recipe = json.JSONDecoder().raw_decode(text, begins.end())[0] if begins else None
    except (OSError, ValueError, RecursionError):
        return None
    return json.dumps(recipe) if isinstance(recipe, dict) and "edgevoice" in recipe else None


def read_recipe(path: Path) -> Recipe:
    """Read the recipe of a table or a dataset.

    Raises:
        ArgumentError: it has no recipe, or one that is not as EdgeVoice writes them: the message names its fields.
        OutputError: it cannot be read, or is malformed.
    """
    kind = table_kind(table_format(path))
    with _reading(path):
        text = kind.read_recipe(path)
    if text is None:
        raise ArgumentError(f"{path}: no table with a recipe (in it, or in {path.name}.json beside it)")
    try:
        return Recipe.from_json(text)
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}") from error


def find_recipe(path: Path) -> Recipe | None:
    """Read the recipe of a table or a dataset; None where it has none, or one that is not as EdgeVoice writes them."""
    try:
        return read_recipe(path)
    except ArgumentError:
        return None


def read_content(path: Path, others: bool = True) -> Content:
    """Read the numbers and the other columns of a table; a dataset is read part by part, sorted by name.

    Args:
        path: of the table, or of the dataset's folder.
        others: whether the other columns are read too.

    Raises:
        ArgumentError: the format is not known.
        OutputError: it cannot be read, or is malformed.
    """
    kind = table_kind(table_format(path))
    with _reading(path), np.errstate(over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of a header that it can nearly read
        content = kind.read(path, others)
        if not np.isfinite(content.values).all():
            raise ValueError("some of its numbers are not finite")
    return content


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise OutputError for whatever a parser makes of a malformed file."""
    try:
        if not path.exists():
            raise OutputError(f"{path}: no such table")
        if not (path.is_file() or path.is_dir()):
            raise OutputError(f"{path}: is no file")
        yield
    except EdgeVoiceError:
        raise
    except Exception as error:  # zipfile, NumPy, csv, json and pyarrow raise anything
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:_LONGEST] or type(error).__name__
        raise OutputError(f"{path}: cannot be read: malformed, or no table of EdgeVoice ({reason})") from error
