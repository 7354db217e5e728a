"""`edgevoice-export verify`: the networks of a model folder in ONNX Runtime against the same weights in PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edgevoice.errors import ArgumentError
from edgevoice.modelfolder import find_model
from edgevoice_export.cli.common import print_verification
from edgevoice_export.probe import recorded_spectrograms, synthetic_spectrograms
from edgevoice_export.verify import BATCHES, TOLERANCE, network_reference, verify
from edgevoice_export.weights import read_weights, unpack_weights

_SPEECH = Path(__file__).resolve().parents[3] / "tests" / "data" / "speech.wav"
_FEWEST = max(BATCHES)


def add_parser(subcommands: Any) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser("verify", help="compare PyTorch and ONNX Runtime", description=__doc__)
    parser.add_argument("model", help="name or path of a model folder")
    parser.add_argument(
        "--audio",
        type=Path,
        metavar="FILE",
        help="a recording to verify on (default: in a checkout its tests/data/speech.wav, else a synthetic voice)",
    )
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="compare with these weights, not the folder's own")
    parser.add_argument("--windows", type=int, default=64, help=f"at most so many windows, {_FEWEST} or more (default: 64)")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help=f"largest difference allowed (default: {TOLERANCE:g})"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand: 0 if the difference is within the tolerance, else 1."""
    if options.windows < _FEWEST:
        raise ArgumentError(f"--windows {options.windows}: expected {_FEWEST} or more")
    folder = find_model(options.model)
    weights = read_weights(options.checkpoint) if options.checkpoint else unpack_weights(folder)
    audio = options.audio or (_SPEECH if _SPEECH.is_file() else None)
    if audio:
        spectrograms = recorded_spectrograms(audio, folder.config, options.windows)
    else:
        spectrograms = synthetic_spectrograms(folder.config, options.windows)
    print(f"windows of {audio or 'a synthetic voice'}")
    result = verify(folder, network_reference(weights.network()), spectrograms)
    print_verification(result)
    passed = result.passed(options.tolerance)
    print(f"{folder.path}: {'passed' if passed else f'FAILED: the largest difference is above {options.tolerance:g}'}")
    return 0 if passed else 1
