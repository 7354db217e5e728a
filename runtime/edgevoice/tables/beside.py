"""The JSON file beside a table whose format has no place for the recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevoice.corpus.rows import Block, Columns
from edgevoice.recipe import Recipe


class Beside:
    """The recipe of a table, and the names of rows and columns where the format itself lacks them.

    It is an object with `recipe`; with `names`, also `columns`, the names of the columns, and `sources`: for each index
    row, in order, its `file`, the `start` and `end` of what was read (seconds), its `channel` where the table has channels,
    its number of `rows`, and the columns of the user's own.
    """

    def __init__(self, columns: Columns, recipe: Recipe | None, path: str, names: bool) -> None:
        self._recipe, self._path, self._others = recipe, path, columns.others
        self._channel = any(name == "channel" for name, _ in columns.head)
        self._columns = list(columns.values) if names else None
        self._sources: list[dict[str, Any]] = []

    def write(self, block: Block) -> None:
        """Keep the names of the rows."""
        if self._columns is not None:
            row = block.row
            source = {"file": row.file, "start": block.start, "end": block.end}
            channel = {"channel": row.channel} if self._channel else {}
            others = {name: cell for (name, _), cell in zip(self._others, row.others, strict=True)}
            self._sources.append({**source, **channel, "rows": len(block), **others})

    def files(self) -> Mapping[str, bytes]:
        """The file, with its name as the key."""
        if self._recipe is None:
            return {}
        content: dict[str, Any] = {"recipe": self._recipe.to_dict()}
        if self._columns is not None:
            content |= {"columns": self._columns, "sources": self._sources}
        return {beside_name(self._path): (json.dumps(content, indent=1) + "\n").encode()}


def beside_name(path: str) -> str:
    """Name of the JSON file that is written beside a table."""
    return f"{Path(path).name}.json"
