"""Writes figures to files."""

from __future__ import annotations

import io
import os
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

from edgevoice.errors import ArgumentError, MissingPackageError
from edgevoice.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
_MISSING = "figures need matplotlib, which is not installed: pip install 'edgevoice[plot]'"


def figure_format(path: str | os.PathLike[str]) -> str:
    """The format for the suffix of a path; checked before anything is computed.

    Raises:
        ArgumentError: it names no known format.
        MissingPackageError: matplotlib is not installed.
    """
    name = Path(path).suffix.lower().removeprefix(".")
    if name not in FORMATS:
        raise ArgumentError(f"{path}: expected a name that ends in {', '.join(f'.{known}' for known in FORMATS)}")
    if find_spec("matplotlib") is None:
        raise MissingPackageError(_MISSING)
    return name


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure with a size in inches, without a window.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(_MISSING) from error

    class Shown(Figure):
        """A figure that notebooks show even where pyplot is not imported."""

        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=80)
            return file.getvalue()

    return Shown(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, file: IO[bytes], kind: str, recipe: Recipe | None = None) -> None:
    """Write a figure in one of the `FORMATS`.

    Args:
        figure: what is written.
        file: open for writing.
        kind: the format.
        recipe: what made its numbers; kept as JSON in the picture's metadata: `edgevoice.recipe` of a PNG, the description
            of an SVG, the subject of a PDF.
    """
    key = {"png": "edgevoice.recipe", "svg": "Description", "pdf": "Subject"}[kind]
    figure.savefig(file, format=kind, dpi=120, metadata=None if recipe is None else {key: recipe.to_json()})
