"""A whole model as one portable ONNX graph, for programs that have an ONNX runtime but neither NumPy nor EdgeVoice.

Samples go in: float32 (n, window), at the model's rate and level, as `Extractor.encode` takes them. Descriptors come out:
float32 (n, bottleneck + error). The Fourier transform, the Mel bands and the logarithm are operators of the graph, before
the two networks, which stay as they are; it is built from the definition of the spectrogram in `model.json`, with ONNX's
own operators of opset 18. It costs accuracy: sums are ordered otherwise than in NumPy, so that the descriptors of noise
at all levels of speech differ from the runtime's by up to 4e-6. The level must be applied by the caller.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

from edgevoice.errors import ArgumentError
from edgevoice.extractor import load
from edgevoice.frontend import hann, mel_corners
from edgevoice.inference import load_onnxruntime
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.opset import OPSET

Transform = Literal["stft", "convolution"]
TRANSFORMS: tuple[Transform, ...] = ("stft", "convolution")


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
    encoder, decoder = (onnx.load_from_string(folder.read(name)) for name in ("encoder.onnx", "decoder.onnx"))
    encoder, decoder = compose.add_prefix(encoder, "encoder/"), compose.add_prefix(decoder, "decoder/")
    model = compose.merge_models(
        front_end_graph(Preprocessing.of(folder.config), transform, max(encoder.ir_version, decoder.ir_version)),
        encoder,
        io_map=[("spectrogram", "encoder/spectrogram")],
        outputs=["spectrogram", "encoder/bottleneck"],
    )
    model = compose.merge_models(
        model,
        decoder,
        io_map=[("spectrogram", "decoder/spectrogram"), ("encoder/bottleneck", "decoder/bottleneck")],
        outputs=["encoder/bottleneck", "decoder/error"],
    )
    graph, features = model.graph, folder.config.features
    graph.node.append(helper.make_node("Concat", ["encoder/bottleneck", "decoder/error"], ["descriptors"], axis=1))
    del graph.output[:]
    graph.output.append(_float("descriptors", features.bottleneck + features.error))
    graph.name = folder.config.name
    model.producer_name, model.doc_string = "edgevoice-export", folder.config.summary
    onnx.checker.check_model(model, full_check=True)
    return model


def compare_with_runtime(data: bytes, folder: ModelFolder, windows: NDArray[np.float32]) -> tuple[float, float]:
    """Largest difference of the bottleneck and of the errors between such a graph and the runtime, on the CPU.

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


def front_end_graph(preprocessing: Preprocessing, transform: Transform, ir_version: int) -> onnx.ModelProto:
    """Samples (n, window) -> spectrogram (n, 1, bands, columns), standardised.

    By convolution it is `frontend.onnx` of a model folder: what a device computes that has no STFT. Its largest difference
    from NumPy's front end is 1e-4, in bands that are nearly empty.
    """
    settings, graph = preprocessing.spectrogram, _Graph()
    first, last = settings.trim
    value = "samples"
    if first or last:
        value = graph.add("Slice", value, np.array([first]), np.array([preprocessing.audio.window - last]), np.array([1]))
    if settings.padding:
        value = graph.add("Pad", value, np.array([0, settings.padding] * 2))
    value = graph.add("Unsqueeze", value, np.array([2 if transform == "stft" else 1]))
    taper = hann(settings.fft) if settings.taper == "hann" else np.ones(settings.fft)
    # (n, columns, bins) from the one, (n, bins, columns) from the other
    power = (_stft if transform == "stft" else _convolution)(graph, value, taper, settings.step)
    value = power if settings.spectrum == "power" else graph.add("Sqrt", power)
    columns_first = transform == "stft"
    if settings.bands.scale == "bins":
        axis = 2 if columns_first else 1
        value = graph.add("Slice", value, np.array([0]), np.array([settings.bands.count]), np.array([axis]))
    else:
        filters = _mel_filters(graph, preprocessing)  # (bands, bins)
        transposed = graph.add("Transpose", filters, perm=[1, 0])
        value = graph.add("MatMul", value, transposed) if columns_first else graph.add("MatMul", filters, value)
    if columns_first:
        value = graph.add("Transpose", value, perm=[0, 2, 1])
    if settings.logarithm:
        value = graph.add("Log", graph.add("Max", value, np.float32(settings.logarithm.floor)))
    if settings.blank:
        value = graph.add("Pad", value, np.array([0, 0, 0, 0, 0, settings.blank]))
    value = graph.add("Add", value, np.float32(settings.offset))
    value = graph.add("Div", value, np.float32(settings.divisor))
    graph.add("Unsqueeze", value, np.array([1]), output="spectrogram")
    proto = helper.make_graph(
        graph.nodes,
        "front end",
        [_float("samples", preprocessing.audio.window)],
        [_float("spectrogram", 1, *preprocessing.shape)],
        graph.constants,
    )
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=ir_version)


def _stft(graph: _Graph, samples: str, taper: NDArray[np.float64], step: int) -> str:
    """Power float32 (n, columns, bins) of samples (n, samples, 1)."""
    double = graph.add("Cast", samples, to=TensorProto.DOUBLE)
    # frame_length must have no dimension: with one, ONNX Runtime takes it for an optional input that is not there.
    spectrum = graph.add("STFT", double, np.int64(step), taper, np.int64(len(taper)), onesided=1)
    power = graph.add("ReduceSumSquare", spectrum, np.array([3]), keepdims=0)
    return graph.add("Cast", power, to=TensorProto.FLOAT)


def _convolution(graph: _Graph, samples: str, taper: NDArray[np.float64], step: int) -> str:
    """Power (n, bins, columns) of samples (n, 1, samples)."""
    size = len(taper)
    # The sines and cosines are made by the graph itself and folded into constants when it is loaded: 1 MB less in the file.
    places = graph.add("Range", np.int64(0), np.int64(size), np.int64(1))
    bins = graph.add("Unsqueeze", graph.add("Range", np.int64(0), np.int64(size // 2 + 1), np.int64(1)), np.array([1]))
    # The angle is taken modulo a turn in integers, where it is exact.
    turns = graph.add("Mod", graph.add("Mul", bins, places), np.int64(size))
    angle = graph.add("Mul", graph.add("Cast", turns, to=TensorProto.DOUBLE), np.float64(2 * np.pi / size))
    parts = []
    for quarter in (np.pi / 2, 0.0):  # cosines are sines: older ONNX Runtimes have no cosine in float64
        wave = graph.add("Sin", graph.add("Add", angle, np.float64(quarter)))
        tapered = graph.add("Cast", graph.add("Mul", wave, taper), to=TensorProto.FLOAT)
        part = graph.add("Conv", samples, graph.add("Unsqueeze", tapered, np.array([1])), strides=[step])
        parts.append(graph.add("Mul", part, part))
    return graph.add("Add", *parts)


def _mel_filters(graph: _Graph, preprocessing: Preprocessing) -> str:
    """The triangles (bands, bins) of `frontend.mel_filters`, made of their corners alone."""
    settings = preprocessing.spectrogram
    bins = settings.fft // 2 + 1
    hertz = graph.add("Cast", graph.add("Range", np.int64(0), np.int64(bins), np.int64(1)), to=TensorProto.DOUBLE)
    hertz = graph.add("Div", graph.add("Mul", hertz, np.float64(preprocessing.audio.rate)), np.float64(settings.fft))
    corners = mel_corners(settings.bands)[:, None]
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising = graph.add("Div", graph.add("Sub", hertz, low), centre - low)
    falling = graph.add("Div", graph.add("Sub", high, hertz), high - centre)
    triangles = graph.add("Max", graph.add("Min", rising, falling), np.float64(0))
    unit = graph.add("Div", graph.add("Mul", triangles, np.float64(2)), high - low)
    return graph.add("Cast", unit, to=TensorProto.FLOAT)


class _Graph:
    """Nodes and constants, one after the other."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: Any, output: str | None = None, **attributes: Any) -> str:
        """Append an operator on values (names) and constants (arrays); return the name of its output."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def _constant(self, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"constant_{len(self.constants)}"))
        return str(self.constants[-1].name)


def _float(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
