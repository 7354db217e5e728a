"""`edgevoice plot`: a recording and its features in one figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.audio.files import open_source
from edgevoice.audio.resampling import resampled
from edgevoice.cli.nativeoutput import quiet_libraries
from edgevoice.cli.options import Commands, add_force, add_model_options, add_window_options, load_extractor, parser_of
from edgevoice.files.wholefile import refuse_existing, whole_file
from edgevoice.plotting.figurefile import figure_format, write_figure
from edgevoice.plotting.overview import draw_overview

_EPILOG = """\
example:
  edgevoice plot speech.wav -o speech.png --end 10
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "plot", _EPILOG)
    parser.add_argument("input", metavar="INPUT", help="an audio file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="a .png, .pdf or .svg file")
    parser.add_argument("--start", type=float, metavar="S", help="begin at this second")
    parser.add_argument("--end", type=float, metavar="S", help="stop at this second")
    add_force(parser)
    add_model_options(parser)
    add_window_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw the figure."""
    kind = figure_format(arguments.output)
    if not arguments.force:
        refuse_existing(arguments.output)
    extractor = load_extractor(arguments)
    rate, channel = extractor.config.audio.rate, arguments.channel
    with quiet_libraries(), open_source(arguments.input, arguments.start, arguments.end, channel) as source:
        features = extractor.extract(source, level=arguments.level, hop=arguments.hop, channel=channel)
        title = f"{Path(arguments.input).name} · {extractor.config.name}"
        figure = draw_overview(extractor, lambda: resampled(source, rate, channel), features, title, arguments.level)
    with whole_file(arguments.output, arguments.force) as file:
        write_figure(figure, file, kind)
    return 0
