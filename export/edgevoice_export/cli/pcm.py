"""`edgevoice-export pcm`: a model folder as one ONNX file, samples in, descriptors out."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands
from edgevoice.extractor import load
from edgevoice.files import refuse_existing, whole_file
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice.sessions import load_onnxruntime
from edgevoice_export.cli.live import graph_parser
from edgevoice_export.onnx.live import convert_to_pcm
from edgevoice_export.publish.verify import default_tolerance

TOLERANCE = 1e-3


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = graph_parser(commands, "pcm")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand: 0 if the file agrees with the runtime, else 1."""
    folder = find_model(options.model)
    path = options.out or Path(f"{folder.config.name}-pcm.onnx")
    if not options.force:
        refuse_existing(path)
    model = convert_to_pcm(folder, options.transform)
    data = model.SerializeToString()
    with whole_file(path, options.force) as file:
        file.write(data)
    bottleneck, error = compare_with_runtime(data, folder, _windows(folder.config.audio.window))
    show(f"{path}: {len(data) / 1e6:.1f} MB; largest difference: bottleneck {bottleneck:.1e}, error {error:.1e}")
    return 0 if max(bottleneck, error) <= max(TOLERANCE, default_tolerance(folder.config)) else 1


def compare_with_runtime(data: bytes, folder: ModelFolder, windows: NDArray[np.float32]) -> tuple[float, float]:
    """The largest difference of bottleneck and errors from the runtime on the CPU, for windows (n, window) at the level."""
    session = load_onnxruntime().InferenceSession(data, providers=["CPUExecutionProvider"])
    (found,) = session.run(["descriptors"], {"samples": windows})
    extractor = load(folder.path)
    difference = np.abs(found - extractor.describe(windows))
    units = extractor.layout.bottleneck
    return float(difference[:, :units].max()), float(difference[:, units:].max())


def _windows(size: int) -> NDArray[np.float32]:
    """Noise that falls by 90 dB in seven windows (7, size), so that it has all levels of speech."""
    falling = 10 ** np.linspace(0, -4.5, 7 * size)
    noise = 0.3 * np.random.default_rng(0).standard_normal(7 * size)
    return (falling * noise).astype(np.float32).reshape(7, size)
