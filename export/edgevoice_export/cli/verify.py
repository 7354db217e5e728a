"""`edgevoice-export verify`: the networks of a model folder in ONNX Runtime against the same weights in PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, parser_of
from edgevoice.inference import FRONT_END, Networks
from edgevoice.modelfolder import find_model
from edgevoice_export.cli.common import add_window_options, print_verification, windows
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.convert import network_reference
from edgevoice_export.publish.export import rounded
from edgevoice_export.publish.verify import TOLERANCE, default_tolerance, outputs_of, verify, verify_front_end
from edgevoice_export.training.weights import read_weights, unpack_weights


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "verify")
    parser.add_argument("model", help="name or path of a model folder")
    add_window_options(parser)
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="compare with these weights, as export rounds them, not the folder's own",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        help=f"largest difference allowed (default: {TOLERANCE:g}; with 8-bit weights twice their drift in model.json)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand: 0 if the difference is within the tolerance, else 1."""
    folder = find_model(options.model)
    folder.verify()
    Networks(folder, whole_batches=True)  # loaded as users load it
    weights = read_weights(options.checkpoint) if options.checkpoint else unpack_weights(folder)
    if options.checkpoint:
        weights = weights._replace(tensors=rounded(weights.tensors))
    spectrograms, audio_name = windows(options, folder.config)
    tolerance = default_tolerance(folder.config) if options.tolerance is None else options.tolerance
    show(f"windows of {audio_name}")
    if FRONT_END in folder.config.files:
        verify_front_end(folder.read, Preprocessing.of(folder.config), str(folder.path))
    reference, together = network_reference(weights.network()), folder.config.batch_statistics
    result = verify(outputs_of(folder.read), reference, spectrograms, together=together)
    print_verification(result)
    passed = result.passed(tolerance)
    show(f"{folder.path}: {'passed' if passed else f'FAILED: the largest difference is above {tolerance:g}'}")
    return 0 if passed else 1
