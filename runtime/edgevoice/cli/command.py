"""The command line that made a table, as the recipe stores it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from edgevoice.corpus.index import Row
from edgevoice.errors import ArgumentError

STANDARD_INPUT = "-"


def words_of(arguments: argparse.Namespace, folder: Path, rows: Sequence[Row]) -> tuple[str, ...]:
    """The words of an `extract` with these arguments, its paths as seen from the folder that the table is in.

    So no absolute path of this machine is stored, and a folder with both corpus and table can be moved.

    Args:
        arguments: what was parsed.
        folder: the folder of the table.
        rows: one of each file that is in the table, where every file has a table of its own; empty: all inputs.
    """

    def seen(path: str) -> str:
        try:
            return os.path.relpath(path, folder)
        except ValueError:  # another drive
            return path

    words: list[str] = ["extract"]
    if rows and not arguments.index:
        words += [seen(row.path) for row in rows]
    else:
        words += map(seen, arguments.inputs)
    for name in ("index", "root"):
        value = getattr(arguments, name)
        if value is not None:
            words += [f"--{name}", value if (name, value) == ("index", STANDARD_INPUT) else seen(value)]
    for file in [row.file for row in rows if arguments.index] or arguments.only or []:
        words += ["--only", file]
    if arguments.static:
        words.append("--static")
    if arguments.pad:
        words.append("--pad")
    for name in ("start", "end", "level", "hop", "channel"):
        value = getattr(arguments, name)
        if value is not None:
            words += [f"--{name}", str(value)]
    model = arguments.model
    if os.sep in model or Path(model).is_dir():
        model = os.path.join(os.curdir, seen(model))  # noqa: PTH118 - a path, not a name
    words += ["--model", model, "--descriptors", arguments.descriptors]
    if arguments.device != "cpu":
        words += ["--device", arguments.device]
    return tuple(words)


def located(arguments: argparse.Namespace, folder: Path) -> None:
    """Convert the paths that `words_of` stored to paths relative to the current folder.

    Raises:
        ArgumentError: the index came from standard input, and is gone.
    """
    if arguments.index == STANDARD_INPUT:
        raise ArgumentError("the table's index came from standard input: run its command again with the index in a file")

    def here(path: str) -> str:
        return os.path.relpath(Path(folder, path))

    arguments.inputs = [here(path) for path in arguments.inputs]
    for name in ("index", "root"):
        value = getattr(arguments, name)
        if value is not None:
            setattr(arguments, name, here(value))
    if os.sep in arguments.model:
        arguments.model = os.path.join(os.curdir, here(arguments.model))  # noqa: PTH118
