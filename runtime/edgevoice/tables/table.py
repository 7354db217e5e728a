"""The interface of table formats, the list of formats, and how a table is written and read."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.folders import is_file
from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.errors import ArgumentError, EdgeVoiceError, OutputError, missing
from edgevoice.files import whole_files
from edgevoice.recipe import Recipe

_LARGEST = 1 << 22  # characters of a sidecar among which its recipe is: nothing more of it is read
_LONGEST = 200  # characters of a library's message that are repeated
_BEGINNING = re.compile(r'\s*\{\s*"recipe"\s*:\s*')

Write = Callable[[TableRows], object]
"""Adds the rows that one row of the index gives."""


class Content(NamedTuple):
    """The content of a table."""

    values: NDArray[np.float32]
    """Descriptors or functionals, (rows, numbers)."""
    columns: dict[str, list[Any]]
    """All other columns by name; in CSV all cells are text. Formats without columns have none; ark has `file`."""


def sidecar_recipe(path: Path) -> str | None:
    """The recipe in the sidecar of a table, JSON; None where there is none. It comes first: the rest may be long."""
    return _recipe_in(f"{path}.json")


class Format(NamedTuple):
    """A table format.

    The recipe is in the table, or in a sidecar, a JSON file beside it: an object with `recipe` and, where the format names
    neither rows nor columns, `columns`, the names of the numbers, and `sources`: for each index row its `file`, the `start`
    and `end` of what was read (seconds), its `channel` where there are several, its number of `rows`, and the user's cells.
    """

    write: Callable[[Sequence[IO[bytes]], Columns, Recipe | None, str], AbstractContextManager[Write]]
    """From open files, that of the table and its sidecars, which stay open, and the path of the table as it was given."""
    read: Callable[[Path, bool], Content]
    """The numbers and, if asked for, the other columns. A malformed table may raise any exception."""
    recipe: Callable[[Path], str | None] = sidecar_recipe
    """The recipe, JSON; None where there is none."""
    beside: tuple[str, ...] = ("{path}.json",)
    """The names of its sidecars, by its `path`, or that without the suffix, `stem`. The first is written by `open_table`."""
    names: bool = True
    """Whether it names its rows and columns."""
    module: str = ""
    """What has to be installed, and imported."""


FORMATS = {
    "csv": ("csvfile", "CSV"),
    "npy": ("numpyfile", "NPY"),
    "npz": ("numpyfile", "NPZ"),
    "parquet": ("parquetfile", "PARQUET"),
    "jsonl": ("jsonlines", "JSONL"),
    "ark": ("arkfile", "ARK"),
}
"""The names of the formats, which are their suffixes too, each with its module and its `Format`."""


def table_format(path: str | os.PathLike[str]) -> str:
    """The name of the format for the suffix of a path; an ArgumentError where there is none."""
    name = Path(path).suffix.lower().removeprefix(".")
    if name not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise ArgumentError(f"{path}: no table format has the suffix '.{name}'; known are {known}")
    return name


def find_format(name: str) -> Format:
    """The format of this name; a MissingPackageError where a package that it needs is not installed."""
    module, constant = FORMATS[name]
    found = cast("Format", getattr(importlib.import_module(f"edgevoice.tables.{module}"), constant))
    package = found.module.partition(".")[0]
    if package and importlib.util.find_spec(package) is None:
        raise missing(package, f"the format {name}")
    return found


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """The files that a table of this path is: itself, then its sidecars."""
    stem = os.path.splitext(path)[0]  # noqa: PTH122
    beside = find_format(table_format(path)).beside
    return [Path(path), *(Path(name.format(path=os.fspath(path), stem=stem)) for name in beside)]


def obstacle(path: str | os.PathLike[str]) -> Path | None:
    """The first file that a table of this path would replace; a recipe of ours is none where its table is gone."""
    return next((file for file, replaced in _replaced(path).items() if is_file(file) and not replaced), None)


def _replaced(path: str | os.PathLike[str]) -> dict[Path, bool]:
    """The files of a table, and whether each may be replaced without being asked for."""
    table, *sidecars = files_of(path)
    gone = not os.path.lexists(table)
    return {table: False, **{file: gone and _recipe_in(file) is not None for file in sidecars}}


@contextmanager
def open_table(
    path: str | os.PathLike[str], columns: Columns, recipe: Recipe | None = None, *, replace: bool = True
) -> Iterator[Write]:
    """Write a table to a file, in the format of its suffix. It appears with its sidecars when it is complete, or not at all.

    Files that are there by then are replaced if that is allowed; a recipe of ours whose table is gone always is.
    """
    form = find_format(table_format(path))
    if form.module:  # before a file is there: an interrupt in the middle of this import is lost, or makes others of it
        importlib.import_module(form.module)
    content: dict[str, Any] = {"recipe": None if recipe is None else recipe.to_dict()}
    if not form.names:
        content |= {"columns": columns.values, "sources": []}

    def add(rows: TableRows) -> None:
        write(rows)
        if not form.names:
            channel = {"channel": rows.row.channel} if "channel" in columns.kinds else {}
            place = {"file": rows.row.file, "start": rows.start, "end": rows.end}
            content["sources"].append({**place, **channel, "rows": len(rows), **rows.others})

    # The table comes last: where it is, all of it is.
    places = {file: replace or replaced for file, replaced in reversed(_replaced(path).items())}
    with whole_files(places) as opened:
        files = opened[::-1]
        with form.write(files, columns, recipe, os.fspath(path)) as write:
            yield add
        if form.beside:
            files[1].write(f"{json.dumps(content, indent=1)}\n".encode())


def _recipe_in(path: str | Path) -> str | None:
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
    form = find_format(table_format(path))
    with _reading(path):
        text = form.recipe(path)
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
    """Read the numbers and, with `others`, the other columns of a table; a dataset is read part by part, sorted by name.

    Raises:
        ArgumentError: the format is not known.
        OutputError: it cannot be read, or is malformed.
    """
    form = find_format(table_format(path))
    with _reading(path), np.errstate(over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of a header that it can nearly read
        content = form.read(path, others)
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
