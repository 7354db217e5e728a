"""`edgevoice-export export`: a checkpoint of training -> a verified model folder with its card."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, parser_of
from edgevoice.errors import ArgumentError, ModelConfigError
from edgevoice_export.cli.common import (
    add_data_options,
    add_description_options,
    corpus,
    description,
    folder_corpus,
    print_verification,
)
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.publish.export import export_checkpoint
from edgevoice_export.publish.folder import check_place
from edgevoice_export.training.weights import read_weights


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "export")
    parser.add_argument("checkpoint", type=Path, help="best.pt of a training run")
    add_data_options(parser)
    add_description_options(parser)
    parser.add_argument(
        "--unheard",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="another folder of audio, that neither training nor validation touched: the error on it goes onto the card; "
        "may be given several times",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand."""
    described = description(options)
    check_place(options.out)
    if not options.checkpoint.is_file():
        raise ModelConfigError(
            f"{options.checkpoint}: no such file; best.pt is in the folder of checkpoints, MODELFOLDER.training"
        )
    architecture = ARCHITECTURES[read_weights(options.checkpoint).arch]
    folders = [_named(text) for text in options.unheard]
    data = corpus(options, architecture)
    unheard = {name: folder_corpus(folder, None, options, architecture) for name, folder in folders}
    written, verification = export_checkpoint(options.checkpoint, data, options.out, described, unheard=unheard)
    print_verification(verification)
    show(f"{written.path}: {written.config.name} {written.config.version}")
    return 0


def _named(text: str) -> tuple[str, Path]:
    """Split `NAME=DIR` into the name and the folder."""
    name, sign, folder = text.partition("=")
    if not (name and sign and folder):
        raise ArgumentError(f"--unheard {text}: expected NAME=DIR, a name for the card and a folder of audio")
    return name, Path(folder)
