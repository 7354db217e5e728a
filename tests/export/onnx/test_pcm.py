"""The portable graph gives the runtime's numbers, whatever the front end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile

from edgevoice import ModelFolder, load
from edgevoice_export.cli import main
from edgevoice_export.cli.pcm import compare_with_runtime
from edgevoice_export.onnx.live import convert_to_pcm


@pytest.fixture(scope="module")
def windows(speech: Path) -> np.ndarray:
    """Windows of speech, float32 (n, 8000), each of peak 1."""
    samples, _ = soundfile.read(speech, dtype="float32")
    cut = np.lib.stride_tricks.sliding_window_view(samples, 8000)[::4000]
    return cut / np.abs(cut).max(axis=1, keepdims=True)


@pytest.mark.parametrize(("transform", "tolerance"), [("stft", 1e-6), ("convolution", 1e-5)])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"spectrum": "magnitude", "taper": "rectangular", "logarithm": None, "offset": 0.0, "divisor": 20.0},
        {"bands": {"scale": "bins", "count": 64, "low": 0, "high": 2000}, "trim": [100, 28], "padding": 0, "blank": 3},
    ],
    ids=["slaney", "magnitude", "bins"],
)
def test_equals_the_runtime(
    make_model: Callable[..., Path], windows: np.ndarray, changes: Any, transform: Any, tolerance: float
) -> None:
    bands = changes.get("bands", {}).get("count", 128)
    folder = ModelFolder.open(make_model(spectrogram=changes, features={"error": bands}))
    bottleneck, error = compare_with_runtime(convert_to_pcm(folder, transform).SerializeToString(), folder, windows)
    described = np.abs(load(folder.path).describe(windows))
    assert bottleneck < tolerance * described[:, :8].max()
    assert error < tolerance * described[:, 8:].max()


def test_command(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pcm", str(tiny_model)]) == 0
    assert capsys.readouterr().out.startswith("tiny-pcm.onnx: ")
    model = onnx.load(tmp_path / "tiny-pcm.onnx")
    onnx.checker.check_model(model, full_check=True)
    ends = [*model.graph.input, *model.graph.output]
    shapes = [[value.name, *(d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim)] for value in ends]
    assert shapes == [["samples", "n", 8000], ["descriptors", "n", 136]]
    assert main(["pcm", str(tiny_model), "-o", str(tmp_path / "c.onnx"), "--transform", "convolution"]) == 0
    assert main(["pcm", str(tiny_model), "-o", str(tmp_path / "c.onnx" / "c.onnx")]) == 1
    assert "c.onnx/c.onnx: cannot be written (Not a directory)" in capsys.readouterr().err
    assert main(["pcm", "unknown"]) == 2
