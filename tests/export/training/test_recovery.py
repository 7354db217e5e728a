"""Training can begin with what the graphs of a model folder hold, where `network.pt` is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from edgevoice.errors import ModelFilesError
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice_export.cli import main
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.convert import network_reference
from edgevoice_export.publish.verify import outputs_of, synthetic_spectrograms, verify
from edgevoice_export.training.weights import Weights, read_weights, unpack_weights


def packaged(name: str, folder: Path) -> ModelFolder:
    """A model as it is in the wheel."""
    shutil.copytree(find_model(name).path, folder / name, ignore=shutil.ignore_patterns("network.pt"))
    return ModelFolder.open(folder / name)


def difference(folder: ModelFolder, weights: Weights) -> float:
    windows = synthetic_spectrograms(Preprocessing.of(folder.config), 8)
    return verify(outputs_of(folder.read), network_reference(weights.network()), windows).difference


@pytest.mark.parametrize("name", ["cae-64", "rae-64", "lamprou-64"])
def test_gives_the_numbers_of_the_graphs(name: str, tmp_path: Path):
    folder = packaged(name, tmp_path)
    found, trained = read_weights(folder.path), read_weights(name)
    assert found.recovered
    assert not trained.recovered
    assert (found.arch, found.units, found.lineage) == (trained.arch, trained.units, trained.lineage)
    assert difference(folder, found) < 1e-5
    with pytest.raises(ModelFilesError):
        unpack_weights(folder)


def test_networks_that_no_architecture_has(tiny_model: Path):
    with pytest.raises(ModelFilesError):
        read_weights(tiny_model)


def test_adapting(audio_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = packaged("cae-64", tmp_path)
    words = ["train", "--init", str(folder.path), "--data", str(audio_folder), "--out", str(tmp_path / "mine"), "--keep"]
    words += ["--epochs=1", "--epoch-windows=8", "--batch=4", "--validation=0.34", "--validation-windows=6", "--threads=1"]
    assert main(words) == 2
    assert "--fixed-norms 1" in capsys.readouterr().err
    assert main([*words, "--fixed-norms=1"]) == 0
    before, after = (read_weights(path).tensors["encoder.conv1.weight"] for path in (folder.path, tmp_path / "mine"))
    assert torch.abs(after - before).max() < 1e-2
