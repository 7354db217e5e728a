"""`edgevoice-export pcm`: a model folder as one ONNX file, samples in, descriptors out."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, check_places
from edgevoice.extractor import load
from edgevoice.files import whole_file
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice.sessions import load_onnxruntime
from edgevoice_export.cli.live import graph_parser
from edgevoice_export.onnx.live import convert_to_pcm
from edgevoice_export.publish.verify import VerificationError, default_tolerance, falling_noise

TOLERANCE = 1e-3


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = graph_parser(commands, "pcm")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand. What does not agree with the runtime is not written."""
    folder = find_model(options.model)
    path = options.out or Path(f"{folder.config.name}-pcm.onnx")
    check_places([str(path)], list(map(str, folder.path.iterdir())), options.force)
    data = convert_to_pcm(folder, options.transform).SerializeToString()
    bottleneck, error = compare_with_runtime(data, folder, falling_noise(folder.config.audio.window))
    found = f"largest difference: bottleneck {bottleneck:.1e}, error {error:.1e}"
    allowed = max(TOLERANCE, default_tolerance(folder.config))
    if not (bottleneck <= allowed and error <= allowed):  # NaN too
        raise VerificationError(f"{path}: not written, for it does not give the runtime's numbers ({found})")
    with whole_file(path, options.force) as file:
        file.write(data)
    show(f"{path}: {len(data) / 1e6:.1f} MB; {found}")
    return 0


def compare_with_runtime(data: bytes, folder: ModelFolder, windows: NDArray[np.float32]) -> tuple[float, float]:
    """The largest difference of bottleneck and errors from the runtime on the CPU, for windows (n, window) at the level."""
    session = load_onnxruntime().InferenceSession(data, providers=["CPUExecutionProvider"])
    (found,) = session.run(["descriptors"], {"samples": windows})
    extractor = load(folder.path)
    difference = np.abs(found - extractor.describe(windows))
    units = extractor.layout.bottleneck
    return float(difference[:, :units].max()), float(difference[:, units:].max())
