"""The front end of a model as operators of an ONNX graph, made from the definition in `model.json`."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from edgevoice.frontend import hann, mel_corners
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.graph import Graph, Transform, floats


def front_end_graph(preprocessing: Preprocessing, transform: Transform, ir_version: int) -> onnx.ModelProto:
    """Make a graph: samples (n, window) -> standardised spectrogram (n, 1, bands, columns).

    By convolution it is `frontend.onnx`. Its largest difference from NumPy's is 1e-4, in bands that are nearly empty.
    """
    graph = Graph()
    add_front_end(graph, preprocessing, transform, "samples")
    inputs, outputs = [floats("samples", preprocessing.audio.window)], [floats("spectrogram", 1, *preprocessing.shape)]
    return graph.model("front end", inputs, outputs, ir_version)


def add_front_end(graph: Graph, preprocessing: Preprocessing, transform: Transform, value: str) -> None:
    """Append the front end to a graph: from `value`, (n, window) at the model's level, to `spectrogram`.

    Float64 is taken as well as float32, and used to its last bit by `stft`.
    """
    settings = preprocessing.spectrogram
    first, last = settings.trim
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


def _stft(graph: Graph, samples: str, taper: NDArray[np.float64], step: int) -> str:
    """Power float32 (n, columns, bins) of samples (n, samples, 1)."""
    double = graph.add("Cast", samples, to=TensorProto.DOUBLE)
    # frame_length must have no dimension: with one, ONNX Runtime treats it as a missing optional input.
    spectrum = graph.add("STFT", double, np.int64(step), taper, np.int64(len(taper)), onesided=1)
    power = graph.add("ReduceSumSquare", spectrum, np.array([3]), keepdims=0)
    return graph.add("Cast", power, to=TensorProto.FLOAT)


def _convolution(graph: Graph, samples: str, taper: NDArray[np.float64], step: int) -> str:
    """Power (n, bins, columns) of samples (n, 1, samples)."""
    size = len(taper)
    single = graph.add("Cast", samples, to=TensorProto.FLOAT)
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
        part = graph.add("Conv", single, graph.add("Unsqueeze", tapered, np.array([1])), strides=[step])
        parts.append(graph.add("Mul", part, part))
    return graph.add("Add", *parts)


def _mel_filters(graph: Graph, preprocessing: Preprocessing) -> str:
    """The triangular filters (bands, bins) of `frontend.mel_filters`, computed from their corners."""
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
