"""A model trained anew by the runs that its model.json has."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import pytest
import torch

from edgevoice.errors import ArgumentError
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.cli import main, train
from edgevoice_export.cli.common import Audio
from edgevoice_export.cli.retrain import Retraining, do
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.publish.card import Description
from edgevoice_export.training.runs import Run, model_lineage
from edgevoice_export.training.weights import read_weights

FEW = ["--epochs=2", "--epoch-windows=8", "--batch=4", "--validation=0.34", "--validation-windows=6", "--threads=1"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGEVOICE_MODELS", "")


@pytest.fixture(scope="module")
def model(audio_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two runs."""
    folder = tmp_path_factory.mktemp("models")
    first, second = folder / "wide", folder / "narrow"
    data = ["--data", str(audio_folder), "--cache", str(folder / "cache")]
    assert main(["train", "--arch=cae", "--units=128", *FEW, *data, "--out", str(first)]) == 0
    fine = ["--rate=1e-3", "--fixed-norms=1", "--model-version=2.0.0"]
    assert main(["train", "--init", str(first), "--units=64", *FEW, *fine, *data, "--out", str(second)]) == 0
    return second


def same_weights(one: Path, other: Path) -> bool:
    wanted, found = read_weights(one).tensors, read_weights(other).tensors
    return wanted.keys() == found.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.timeout(900)
def test_goes_on_after_an_interruption_to_the_same_weights(
    model: Path, audio_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    again = tmp_path / "again"
    words = ["retrain", str(model), "--data", str(audio_folder), "--threads", "1", "--out", str(again)]
    with monkeypatch.context() as patch:
        patch.setattr(train, "_report", lambda *_: signal.raise_signal(signal.SIGINT))
        assert main(words) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    assert not again.exists()
    assert main(words) == 0
    assert "continues from " in capsys.readouterr().err
    assert same_weights(model, again)
    one, other = ModelFolder.open(model).config, ModelFolder.open(again).config
    assert (other.name, other.version) == ("narrow", "2.0.0")
    assert model_lineage(other) == model_lineage(one)

    made = (again / "model.json").stat().st_mtime_ns
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr().err.count("already exists") == 2
    assert (again / "model.json").stat().st_mtime_ns == made


def test_dry_run_of_a_shipped_model_begins_each_run_with_the_one_before(capsys: pytest.CaptureFixture[str]):
    assert main(["retrain", "rae-64", "--data", "my data", "--out", "again", "--dry-run"]) == 0
    imported, first, *_, last = capsys.readouterr().out.splitlines()
    assert imported == "edgevoice-export import-disvoice 256_RAE.pt"
    assert "--init again.runs/1/disvoice-rae-256 --epochs 18" in first
    assert first.endswith("--data 'my data' --device cpu --name rae-256 --model-version 1.0.0 --out again.runs/2/rae-256")
    assert "--init again.runs/7/rae-64 " in last
    assert last.endswith("--name rae-64 --model-version 4.0.0 --out again")


def test_what_was_not_trained_is_refused(tiny_model: Path):
    assert main(["retrain", str(tiny_model), "--data", "x", "--out", "y"]) == 2


def test_imports_what_the_first_run_began_with(tmp_path: Path):
    torch.manual_seed(0)
    torch.save(ARCHITECTURES["rae"].network(64).state_dict(), tmp_path / "64_RAE.pt")
    step, out = Run("disvoice-rae-64 1.0.0", imported="64_RAE.pt"), tmp_path / "runs" / "disvoice-rae-64"
    audio = Audio(tmp_path, None, pad=False, cache=None)
    job = Retraining("x", audio, tmp_path / "m", tmp_path, tmp_path / "64_RAE.pt", None, "cpu", None, dry_run=False)
    assert do(job, step, None, out, Description("disvoice-rae-64")) == 0
    assert model_lineage(ModelFolder.open(out).config) == (step,)
    with pytest.raises(ArgumentError):
        do(job, dataclasses.replace(step, imported="256_RAE.pt"), None, out, Description("x"))
