"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_RULES = {"l": "---", "r": "---:"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str | None = None) -> str:
    """The lines of a table, without a final line break.

    Args:
        head: the names of the columns.
        rows: their cells.
        align: a letter a column, `l` or `r`; without it the columns are aligned as the reader's program likes.
    """
    if align is None:
        rule = "|---" * len(head) + "|"
    else:
        rule = _row([_RULES[letter] for _, letter in zip(head, align, strict=True)])
    return "\n".join([_row(head), rule, *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
