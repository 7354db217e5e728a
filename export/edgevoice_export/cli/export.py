"""`edgevoice-export export`: a checkpoint of training -> a verified model folder with its card."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.options import Commands, parser_of
from edgevoice.errors import ModelConfigError
from edgevoice_export.cli.common import Audio, add_audio_options, add_description_options, description, print_export
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.publish.export import export_checkpoint
from edgevoice_export.publish.folder import check_place
from edgevoice_export.training.weights import read_weights


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "export")
    parser.add_argument("checkpoint", type=Path, help="best.pt of a training run")
    add_audio_options(parser)
    add_description_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand."""
    described = description(options)
    check_place(options.out)
    if not options.checkpoint.is_file():
        raise ModelConfigError(
            f"{options.checkpoint}: no such file; best.pt is in the folder of checkpoints, MODELFOLDER.training"
        )
    corpus = Audio.of(options).read(ARCHITECTURES[read_weights(options.checkpoint).arch].preprocessing.audio)
    print_export(*export_checkpoint(options.checkpoint, corpus, options.out, described))
    return 0
