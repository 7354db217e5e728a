"""Reads tables: their numbers, and their recipe."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, EdgeVoiceError, OutputError
from edgevoice.recipe import Recipe
from edgevoice.tables.table import Content, table_format, table_kind

_LONGEST = 200
"""Characters of a library's message that are repeated."""


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


def read_values(path: Path) -> NDArray[np.float32]:
    """Read the numbers of a table, (rows, numbers), with the errors of `read_content`."""
    return read_content(path, others=False).values


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
