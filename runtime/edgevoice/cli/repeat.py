"""`edgevoice repeat`: run the command that made a table again."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from edgevoice.cli import extract
from edgevoice.cli.command import located
from edgevoice.cli.console import show, tell
from edgevoice.cli.options import Commands, add_force, parser_of, positive
from edgevoice.cli.parser import Parser
from edgevoice.errors import ArgumentError
from edgevoice.tables.reading import read_recipe, read_values
from edgevoice.tables.table import table_format

_EPILOG = """\
example:
  edgevoice repeat features.csv -o again.csv

The recipe of a table, in the table or in the JSON file beside it, has the command that made it, with paths relative to its
folder. Another version of a package, or another processor, may give other numbers: the command prints how many differ, and
by how much. The exit code is 1 if a number differs.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "repeat", _EPILOG)
    parser.add_argument("table", metavar="TABLE", help="a table or dataset that `edgevoice extract` wrote")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the table that is made, in the same format")
    parser.add_argument("--model", metavar="MODEL", help="take the model from here (default: as the table's command had it)")
    parser.add_argument("--jobs", type=positive, metavar="N", help="as for extract (default: all cores)")
    add_force(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the table again, and compare; return 1 if a number differs."""
    table = Path(arguments.table)
    recipe = read_recipe(table)
    if not recipe.command:
        raise ArgumentError(f"{table}: its recipe has no command; it was made in Python")
    output = Path(arguments.output)
    if table_format(output) != table_format(table) or output.resolve() == table.resolve():
        raise ArgumentError(f"{output}: expected another name than {table}, with the same suffix")
    parser = Parser(prog="edgevoice")
    commands = parser.add_subparsers()
    commands.add_parser("extract")
    extract.add(commands)
    words = parser.parse_args(recipe.command)
    located(words, table.parent)
    words.output = arguments.output + (os.sep if table.is_dir() and not arguments.output.endswith(os.sep) else "")
    words.jobs, words.force = arguments.jobs, arguments.force
    words.model = arguments.model or words.model
    code: int = words.run(words)
    before, after = read_values(table), read_values(output)
    if before.shape != after.shape:
        show(f"{after.shape[0]} rows of {after.shape[1]} numbers, not {before.shape[0]} of {before.shape[1]}")
        return 1
    different = before.view(np.uint32) != after.view(np.uint32)
    count = int(np.count_nonzero(different))
    most = f", by {np.abs(before[different] - after[different]).max():.2g} at most" if count else ""
    show(f"{count} of {before.size} numbers differ{most}")
    if code:
        tell("some inputs failed, as they may have when the table was made")
    return 1 if count else 0
