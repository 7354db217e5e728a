"""`edgevoice-export compact`: a model folder -> one that reads its large matrices in 8 bits, with the drift on its card."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, parser_of
from edgevoice.modelfolder import find_model
from edgevoice_export.cli.common import add_window_options, print_verification, windows
from edgevoice_export.onnx.compact import NETWORKS, compact_model
from edgevoice_export.publish.folder import check_place


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "compact")
    parser.add_argument("model", help="name or path of a model folder")
    parser.add_argument("--out", type=Path, required=True, metavar="MODELFOLDER", help="the model folder to write")
    parser.add_argument("--name", help="name of the new model (default: that of the model with -int8)")
    add_window_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand."""
    folder = find_model(options.model)
    check_place(options.out)
    spectrograms, audio_name = windows(options, folder.config)
    written, verification, drifts = compact_model(folder, options.out, spectrograms, audio_name, options.name)
    show(f"against {folder.config.name} on windows of {audio_name}:")
    print_verification(verification)
    drift = drifts["bottleneck"]
    show(f"bottleneck      rms {drift.rms:.1e}, {drift.relative:.2%} of its spread")
    before, after = (sum((place / name).stat().st_size for name in NETWORKS) for place in (folder.path, written.path))
    show(f"{written.path}: {written.config.name}, networks of {after / 1e6:.1f} MB, before {before / 1e6:.1f}")
    return 0
