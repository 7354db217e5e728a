"""Numbers of the tables in pages of results."""

from __future__ import annotations

import re


def numbers_of(page: str, *names: str) -> list[list[float]]:
    """Of each row that begins with these cells, the first number of each of the others that have one."""
    rows = (line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|"))
    matching = (row[len(names) :] for row in rows if tuple(row[: len(names)]) == names)
    return [[float(cell.split(" ± ")[0]) for cell in row if re.match(r"[-+\d.]+ ± ", cell)] for row in matching]
