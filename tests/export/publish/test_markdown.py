"""Tables are written as those that are kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgevoice_export.publish.markdown import table


def test_tables() -> None:
    assert table(["a", "b"], [["1", ""]]) == "| a | b |\n|---|---|\n| 1 |  |"
    assert table(["", "b"], [["x", "1"], ["y", "2"]], "lr") == "|  | b |\n| --- | ---: |\n| x | 1 |\n| y | 2 |"
    with pytest.raises(ValueError, match="zip"):
        table(["a", "b"], [], "l")


def test_those_that_are_kept(root: Path) -> None:
    """Cards and results are compared with later ones: what is the same reads the same, byte for byte."""
    pages = [*root.glob("benchmarks/results/*.md"), *root.glob("models/*/README.md")]
    found = [written for page in pages for written in re.findall(r"(?:^\|.*\|$\n?)+", page.read_text(), re.MULTILINE)]
    assert len(found) >= 15
    for written in found:
        head, rule, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in written.splitlines())
        align = "".join("r" if cell.endswith(":") else "l" for cell in rule) if "| ---" in written else None
        assert table(head, rows, align) == written.rstrip("\n")
