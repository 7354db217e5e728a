"""Small random model folders, made with onnx alone."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx.parser
from onnx import numpy_helper

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
    image, code = f"float[n, 1, {bands}, {columns}]", f"float[n, {units}]"
    rng = np.random.default_rng(0)
    time = np.array([1, 3])
    encoder = _model(
        f"({image} spectrogram) => ({code} bottleneck)",
        "means = ReduceMean<keepdims = 0>(spectrogram, time) bottleneck = MatMul(means, down)",
        down=rng.standard_normal((bands, units)).astype(np.float32),
        time=time,
    )
    decoder = _model(
        f"({code} bottleneck, {image} spectrogram) => (float[n, {bands}] error, {image} reconstruction)",
        """
        means = MatMul(bottleneck, up)
        column = Reshape(means, image)
        zeros = Mul(spectrogram, nothing)
        reconstruction = Add(column, zeros)
        difference = Sub(spectrogram, reconstruction)
        squared = Mul(difference, difference)
        error = ReduceMean<keepdims = 0>(squared, time)
        """,
        up=rng.standard_normal((units, bands)).astype(np.float32) / units,
        image=np.array([-1, 1, bands, 1]),
        nothing=np.float32(0).reshape(()),
        time=time,
    )
    folder.mkdir(parents=True, exist_ok=True)
    data["files"] = {}
    for name, content in (("encoder.onnx", encoder), ("decoder.onnx", decoder)):
        (folder / name).write_bytes(content)
        data["files"][name] = "sha256:" + hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(data, indent=1))
    return folder


def _model(ends: str, nodes: str, **constants: np.ndarray) -> bytes:
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 18]> tiny {ends} {{ {nodes} }}')
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    onnx.checker.check_model(model)
    return model.SerializeToString()
