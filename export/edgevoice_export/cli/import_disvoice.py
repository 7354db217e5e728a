"""`edgevoice-export import-disvoice`: DisVoice's published weights -> model folders."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, parser_of
from edgevoice.modelfolder import user_models
from edgevoice_export.cli.common import print_verification
from edgevoice_export.publish.disvoice import find_published, import_published


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "import-disvoice")
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        help="a wheel of DisVoice, a folder, or one .pt file (default: the installed package, which is not imported)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the folders go (default: your models)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand."""
    for published in find_published(options.source):
        for folder, verification in import_published(published, options.out or user_models()):
            show(f"{folder.path}: {published.name}")
            print_verification(verification)
    return 0
