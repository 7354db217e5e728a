"""`edgevoice-export drift`: how far features move from one model to another."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, parser_of
from edgevoice.extractor import load
from edgevoice_export.data.corpus import audio_below
from edgevoice_export.publish.measures import measure_drift

_EPILOG = """\
example:
  edgevoice-export drift cae-256 models/mine --data recordings/

Each figure is a root mean square difference in standard deviations of that number: 0.1 is a tenth of what it varies by.
The last line says whether B rebuilds speech better, with an interval over speakers (a folder each), whom neither model may
have been trained on.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "drift", _EPILOG)
    parser.add_argument("before", metavar="A", help="name or path of a model")
    parser.add_argument("after", metavar="B", help="another, with a code of the same size")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of audio that both hear")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand."""
    found = measure_drift(load(options.before), load(options.after), audio_below(options.data))
    show(f"{found.recordings} recordings, {found.windows} windows\n\n{found.table()}\n\n{options.after}: {found.verdict}")
    return 0
