"""`edgevoice map`: a table as a picture, with a point per row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevoice.cli.options import check_places, command, option
from edgevoice.cli.plot import Picture
from edgevoice.errors import ArgumentError
from edgevoice.files import whole_file
from edgevoice.plotting.corpusmap import METHODS, draw_map
from edgevoice.plotting.figurefile import figure_format, write_figure
from edgevoice.plotting.page import write_page
from edgevoice.tables.table import find_recipe, read_content

_EPILOG = """\
examples:
  edgevoice extract --index corpus.csv --static -o corpus.parquet
  edgevoice map corpus.parquet -o map.png --colour speaker

Rows with similar numbers are near each other. Any column of the table can give the colours, such as `file`, `loudness`,
or a column of your corpus. The picture shows the first two principal components; with --method lda the directions that
separate the groups of the colours best, of these very rows: they look apart even where others would not; with umap an
embedding of neighbours. A page (.html) says what each point is. The recipe of the table is stored in the picture's metadata.
"""


@dataclass(frozen=True, slots=True)
class Map:
    """The table, and its picture."""

    picture: Picture
    table: str = option("table", metavar="TABLE", help="a table or dataset that `edgevoice extract` wrote")
    colour: str | None = option("--colour", "--color", metavar="COLUMN", help="the column that gives each point its colour")
    method: str = option(choices=METHODS, default="pca", help="how rows are placed (default: pca)")


def run(asked: Map) -> int:
    """Draw the picture."""
    picture, options = asked.picture, asked.picture.options
    kind = figure_format(picture.output, "html")
    check_places([picture.output], [asked.table], picture.force)
    table = Path(asked.table)
    content = read_content(table, others=asked.colour is not None or kind == "html")
    if not len(content.values):
        raise ArgumentError(f"{table}: has no rows, so there is nothing to draw")
    cells = None
    if asked.colour is not None:
        if asked.colour not in content.columns:
            known = ", ".join(content.columns) or "none: its format has numbers only"
            raise ArgumentError(f"--colour {asked.colour}: {table} has no such column; it has {known}")
        cells = content.columns[asked.colour]
    title = table.name if options.title is None else options.title
    figure = draw_map(content.values, cells, asked.colour or "", title, asked.method, options=options)
    with whole_file(picture.output, picture.force) as file:
        if kind == "html":
            shown = [name for name in ("file", "start", "end", asked.colour) if name in content.columns]
            rows = zip(*(content.columns[name] for name in shown), strict=True)
            about = [", ".join(f"{name} {cell}" for name, cell in zip(shown, row, strict=True)) for row in rows]
            file.write(
                write_page(figure, find_recipe(table), about=about or [f"row {k}" for k in range(len(content.values))])
            )
        else:
            write_figure(figure, file, kind, find_recipe(table))
    return 0


add = command("map", Map, run, _EPILOG)
