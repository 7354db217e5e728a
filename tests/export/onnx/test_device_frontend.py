"""Spectrograms that a device makes by `frontend.onnx`, tried with the CPU as that device."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import edgevoice
from edgevoice.providers import PROVIDERS
from edgevoice_export.onnx.pcm import front_end_graph


@pytest.fixture
def with_graph(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with a front end by convolution."""
    folder = shutil.copytree(tiny_model, tmp_path / "tiny")
    content = front_end_graph(edgevoice.ModelFolder.open(folder).config, "convolution", 9).SerializeToString()
    (folder / "frontend.onnx").write_bytes(content)
    data = json.loads((folder / "model.json").read_text())
    data["files"]["frontend.onnx"] = "sha256:" + hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(data))
    return folder


def test_a_device_makes_spectrograms_where_the_folder_has_the_graph(
    with_graph: Path, tiny_model: Path, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = edgevoice.load(tiny_model).extract(speech)
    assert edgevoice.load(with_graph)._networks.front_end is None  # NumPy's is the CPU's own
    monkeypatch.setitem(PROVIDERS, "cpu", dataclasses.replace(PROVIDERS["cpu"], graph_front_end=True))
    assert edgevoice.load(tiny_model)._networks.front_end is None
    extractor = edgevoice.load(with_graph)
    assert extractor._networks.front_end is not None
    features = extractor.extract(speech)
    np.testing.assert_allclose(features.values, expected.values, rtol=0, atol=1e-4)
    stream = extractor.stream()
    samples = np.zeros(8000, np.float32)
    assert len(stream.push(samples)) == 1
    assert extractor.describe(samples).shape == extractor.describe(samples[None]).shape == (1, 136)
    assert extractor.spectrogram(samples).shape == (1, 128, 126)


def test_an_altered_graph_is_refused(with_graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "cpu", dataclasses.replace(PROVIDERS["cpu"], graph_front_end=True))
    (with_graph / "frontend.onnx").write_bytes(b"")
    with pytest.raises(edgevoice.ModelFilesError, match=r"frontend\.onnx"):
        edgevoice.load(with_graph)


def test_a_failure_of_the_device_is_its_own_error(with_graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, "cpu", dataclasses.replace(PROVIDERS["cpu"], graph_front_end=True))
    extractor = edgevoice.load(with_graph)
    front_end = extractor._networks.front_end
    assert front_end is not None

    class Failing:
        def run(self, *_: object) -> None:
            raise RuntimeError("CUDA out of memory")

    front_end._run = partial(extractor._networks._run_once, Failing(), ["spectrogram"])
    with pytest.raises(edgevoice.DeviceMemoryError, match="memory of cpu"):
        extractor.describe(np.zeros(8000, np.float32))
