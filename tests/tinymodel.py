"""Small random model folders, made with onnx alone."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SETTINGS: dict[str, Any] = {
    "format": 2,
    "name": "tiny",
    "version": "1.0.0",
    "licence": "MIT",
    "summary": "Random weights, for tests",
    "audio": {"rate": 16000, "window": 8000, "hop": 4000},
    "level": {"default": "running", "step": 800, "mean_rate": 0.05, "decay": 0.998, "peak_floor": 0.001},
    "spectrogram": {
        "fft": 512,
        "step": 64,
        "taper": "hann",
        "padding": 256,
        "bands": {"scale": "slaney", "count": 128, "low": 0, "high": 8000},
        "spectrum": "power",
        "logarithm": {"floor": 1e-10},
        "offset": 50.527256,
        "divisor": 57.3834559,
    },
    "features": {"bottleneck": 8, "error": 128},
    "origin": {"seed": 0},
}


def settings(**changes: Any) -> dict[str, Any]:
    """The settings above with some sections changed: a dictionary is merged into its section."""
    result = copy.deepcopy(SETTINGS)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key].update(value)
        else:
            result[key] = value
    return result


def make_tiny_model(folder: Path, **changes: Any) -> Path:
    """Write a model folder with random weights: bottleneck from each band's mean, reconstruction constant in time."""
    data = settings(**changes)
    bands, units = data["spectrogram"]["bands"]["count"], data["features"]["bottleneck"]
    trim = data["spectrogram"].get("trim", [0, 0])
    samples = data["audio"]["window"] - sum(trim) + 2 * data["spectrogram"]["padding"]
    columns = (samples - data["spectrogram"]["fft"]) // data["spectrogram"]["step"] + 1
    columns += data["spectrogram"].get("blank", 0)
    rng = np.random.default_rng(0)
    weights = {
        "down": rng.standard_normal((bands, units)).astype(np.float32),
        "up": rng.standard_normal((units, bands)).astype(np.float32) / units,
    }
    networks = _encoder(bands, columns, units, weights["down"]), _decoder(bands, columns, units, weights["up"])
    folder.mkdir(parents=True, exist_ok=True)
    data["files"] = {}
    for name, network in zip(("encoder.onnx", "decoder.onnx"), networks, strict=True):
        onnx.checker.check_model(network)
        content = network.SerializeToString()
        (folder / name).write_bytes(content)
        data["files"][name] = "sha256:" + hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(data, indent=1))
    return folder


def _value(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], **constants: np.ndarray) -> Any:
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _encoder(bands: int, columns: int, units: int, down: np.ndarray) -> Any:
    nodes = [
        helper.make_node("ReduceMean", ["spectrogram", "time"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "down"], ["bottleneck"]),
    ]
    image, code = _value("spectrogram", "n", 1, bands, columns), _value("bottleneck", "n", units)
    return _model(nodes, [image], [code], down=down, time=np.array([1, 3]))


def _decoder(bands: int, columns: int, units: int, up: np.ndarray) -> Any:
    nodes = [
        helper.make_node("MatMul", ["bottleneck", "up"], ["means"]),
        helper.make_node("Reshape", ["means", "image"], ["column"]),
        helper.make_node("Mul", ["spectrogram", "nothing"], ["zeros"]),
        helper.make_node("Add", ["column", "zeros"], ["reconstruction"]),
        helper.make_node("Sub", ["spectrogram", "reconstruction"], ["difference"]),
        helper.make_node("Mul", ["difference", "difference"], ["squared"]),
        helper.make_node("ReduceMean", ["squared", "time"], ["error"], keepdims=0),
    ]
    image, code = _value("spectrogram", "n", 1, bands, columns), _value("bottleneck", "n", units)
    outputs = [_value("error", "n", bands), _value("reconstruction", "n", 1, bands, columns)]
    constants = {
        "up": up,
        "image": np.array([-1, 1, bands, 1]),
        "nothing": np.float32(0).reshape(()),
        "time": np.array([1, 3]),
    }
    return _model(nodes, [code, image], outputs, **constants)
