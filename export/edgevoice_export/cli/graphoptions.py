"""Options of the subcommands that write a whole model as one graph."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.options import Commands, add_force, parser_of
from edgevoice_export.onnx.graph import TRANSFORMS


def graph_parser(commands: Commands, name: str) -> argparse.ArgumentParser:
    """Make the parser of the subcommand `name`, with the model, the output file and the transform."""
    parser = parser_of(commands, name)
    parser.add_argument("model", help="name or path of a model folder")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=f"the file to write (default: MODEL-{name}.onnx)")
    add_force(parser)
    parser.add_argument(
        "--transform",
        choices=TRANSFORMS,
        default="stft",
        help="how columns become spectra: by ONNX's STFT (the default), or by a convolution, which CUDA computes too",
    )
    return parser
