"""`edgevoice map`: a table as a picture, with a point per row."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.options import Commands, add_force, parser_of
from edgevoice.cli.pictures import add_picture_options, picture_options
from edgevoice.errors import ArgumentError
from edgevoice.files import refuse_existing, whole_file
from edgevoice.plotting.corpusmap import draw_map
from edgevoice.plotting.figurefile import figure_format, write_figure
from edgevoice.tables.reading import find_recipe, read_content

_EPILOG = """\
examples:
  edgevoice extract --index corpus.csv --static -o corpus.parquet
  edgevoice map corpus.parquet -o map.png --colour speaker

Rows with similar numbers are near each other: the picture shows the first two principal components. Any column of the
table can give the colours, such as `file`, `loudness`, or a column of your corpus. The recipe of the table is stored in
the picture's metadata.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "map", _EPILOG)
    parser.add_argument("table", type=Path, metavar="TABLE", help="a table or dataset that `edgevoice extract` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="a .png, .pdf or .svg file")
    parser.add_argument("--colour", "--color", metavar="COLUMN", help="the column that gives each point its colour")
    add_force(parser)
    add_picture_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw the picture."""
    kind, options = figure_format(arguments.output), picture_options(arguments)
    if not arguments.force:
        refuse_existing(arguments.output)
    content = read_content(arguments.table, others=arguments.colour is not None)
    if not len(content.values):
        raise ArgumentError(f"{arguments.table}: has no rows, so there is nothing to draw")
    cells = None
    if arguments.colour is not None:
        if arguments.colour not in content.columns:
            known = ", ".join(content.columns) or "none: its format keeps numbers alone"
            raise ArgumentError(f"--colour {arguments.colour}: {arguments.table} has no such column; it has {known}")
        cells = content.columns[arguments.colour]
    title = arguments.table.name if options.title is None else options.title
    figure = draw_map(content.values, cells, arguments.colour or "", title, options=options)
    with whole_file(arguments.output, arguments.force) as file:
        write_figure(figure, file, kind, find_recipe(arguments.table))
    return 0
