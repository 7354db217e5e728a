"""Import of DisVoice's weights, tried on random weights of the same networks."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import edgevoice
from edgevoice.errors import ModelConfigError, ModelNotFoundError, ModelUseError
from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.publish.disvoice import Published, find_published, import_published
from edgevoice_export.publish.verify import synthetic_spectrograms


def random_network(arch: str) -> nn.Module:
    torch.manual_seed(5)
    network = ARCHITECTURES[arch].network(64)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)  # negative ones too, as DisVoice has them
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.1, 1)
    return network


@pytest.fixture(scope="module")
def replearning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "disvoice" / "replearning"
    folder.mkdir(parents=True)
    for arch in ("cae", "rae"):
        torch.save(random_network(arch).state_dict(), folder / f"64_{arch.upper()}.pt")
    torch.save({}, folder.parent / "other.pt")
    (folder.parent / "__init__.py").write_text("raise RuntimeError('imported')\n")
    return folder


@pytest.fixture(scope="module")
def imported(replearning: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFolder]:
    """The model folders of both networks, by name."""
    out = tmp_path_factory.mktemp("imported")
    files = [Published(file, (replearning / file).read_bytes()) for file in ("64_CAE.pt", "64_RAE.pt")]
    return {folder.config.name: folder for published in files for folder, _ in import_published(published, out)}


@pytest.fixture
def batch(imported: dict[str, ModelFolder]) -> ModelFolder:
    return imported["disvoice-cae-64"]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_batch_statistics_are_pytorchs_training_mode(batch: ModelFolder, count: int):
    assert batch.path.name == batch.config.name == "disvoice-cae-64"
    assert batch.config.batch_statistics
    assert batch.config.level.default == "utterance"
    assert batch.config.spectrogram.logarithm == edgevoice.config.LogarithmConfig(1e-30)
    images = synthetic_spectrograms(Preprocessing.of(batch.config), 7)[:count]
    with torch.no_grad():
        reconstruction, bottleneck = random_network("cae").train()(torch.from_numpy(images))
    networks = Networks(batch, whole_batches=True)
    found = networks.encode(images)
    np.testing.assert_allclose(found, bottleneck, atol=1e-4)
    np.testing.assert_allclose(networks.decode("reconstruction", found, images), reconstruction, atol=1e-4)
    expected = np.mean((images - reconstruction.numpy()) ** 2, axis=(1, 3))
    np.testing.assert_allclose(networks.decode("error", found, images), expected, atol=1e-4)


def test_only_disvoices_interface_takes_them(batch: ModelFolder):
    with pytest.raises(ModelUseError):
        edgevoice.load(batch.path)


@pytest.mark.parametrize(("name", "arch"), [("disvoice-cae-64-running", "cae"), ("disvoice-rae-64", "rae")])
def test_ordinary_models(imported: dict[str, ModelFolder], name: str, arch: str):
    assert len(imported) == 3
    folder = imported[name]
    assert folder.path.name == name
    assert not folder.config.batch_statistics
    images = synthetic_spectrograms(Preprocessing.of(folder.config), 7)
    with torch.no_grad():
        _, bottleneck = random_network(arch).eval()(torch.from_numpy(images))
    np.testing.assert_allclose(Networks(folder).encode(images), bottleneck, atol=1e-5)


def test_sources(replearning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = ["64_CAE.pt", "64_RAE.pt"]
    wheel = tmp_path / "disvoice-0.1.10-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in replearning.parent.rglob("*.*"):
            archive.write(file, file.relative_to(replearning.parents[1]))
    assert [found.name for found in find_published(wheel)] == names
    assert [found.name for found in find_published(replearning.parents[1])] == names
    assert [found.name for found in find_published(replearning / "64_RAE.pt")] == names[1:]
    monkeypatch.syspath_prepend(replearning.parents[1])
    assert [found.name for found in find_published(None)] == names
    assert "disvoice" not in sys.modules


def test_missing_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ModelNotFoundError):
        find_published(tmp_path / "none.whl")
    with pytest.raises(ModelNotFoundError):
        find_published(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelNotFoundError):
        find_published(None)


def test_other_files_are_refused(tmp_path: Path):
    for content in (b"", b"no", b"PK\x03\x04", b"RIFF"):
        with pytest.raises(ModelConfigError):
            import_published(Published("x.pt", content), tmp_path)
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    for name in ("list.pt", "other.pt"):
        with pytest.raises(ModelConfigError):
            import_published(Published(name, (tmp_path / name).read_bytes()), tmp_path / "out")
    assert not (tmp_path / "out").exists()
