"""A whole model as one portable ONNX graph, for programs that have an ONNX runtime but neither NumPy nor EdgeVoice.

Samples go in: float32 (n, window), at the model's rate and level, as `Extractor.encode` takes them. Descriptors come out:
float32 (n, bottleneck + error). The Fourier transform, the Mel bands and the logarithm are operators of the graph, before
the two networks, which stay as they are; it is built from the definition of the spectrogram in `model.json`, with ONNX's
own operators of opset 18. It costs accuracy: sums are ordered otherwise than in NumPy, so that the descriptors of noise
at all levels of speech differ from the runtime's by up to 4e-6. The level must be applied by the caller.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError
from edgevoice.extractor import load
from edgevoice.modelfolder import ModelFolder
from edgevoice.sessions import load_onnxruntime
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.frontend import add_front_end
from edgevoice_export.onnx.graph import TRANSFORMS, Graph, Transform, floats, joined


def convert_to_pcm(folder: ModelFolder, transform: Transform = "stft") -> onnx.ModelProto:
    """Put the front end of a model folder before its networks.

    Args:
        folder: the model folder.
        transform: `stft`, ONNX's own operator, in float64 as the runtime's front end; or `convolution` with the tapered
            sines and cosines, in float32, for providers that have no STFT, such as CUDA: its rounding errors, 1e-7 of
            the loudest amplitude, cover what is quieter than that.

    Raises:
        ModelFilesError: a network cannot be read.
        ArgumentError: another transform.
    """
    if transform not in TRANSFORMS:
        raise ArgumentError(f"transform {transform!r}: expected {' or '.join(TRANSFORMS)}")
    graph = Graph()
    add_front_end(graph, Preprocessing.of(folder.config), transform, "samples")
    model = joined(folder, graph, [floats("samples", folder.config.audio.window)])
    onnx.checker.check_model(model, full_check=True)
    return model


def compare_with_runtime(data: bytes, folder: ModelFolder, windows: NDArray[np.float32]) -> tuple[float, float]:
    """Measure the largest difference of bottleneck and errors between such a graph and the runtime, on the CPU.

    Args:
        data: the graph, as it is in a file.
        folder: the model folder that it was made from.
        windows: float32 (n, window) at the model's level.

    Raises:
        DeviceError, ModelError: one of the two cannot be loaded.
    """
    session = load_onnxruntime().InferenceSession(data, providers=["CPUExecutionProvider"])
    (found,) = session.run(["descriptors"], {"samples": windows})
    extractor = load(folder.path)
    difference = np.abs(found - extractor.describe(windows))
    units = extractor.layout.bottleneck
    return float(difference[:, :units].max()), float(difference[:, units:].max())
