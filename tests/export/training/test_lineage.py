from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgevoice.errors import ModelConfigError
from edgevoice.modelfolder import ModelFolder, list_models
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.training.loop import BEST, train
from edgevoice_export.training.runs import Run, model_lineage
from edgevoice_export.training.weights import read_weights
from shortrun import SETTINGS

WORDS = "edgevoice-export train --arch cae --units 64 --epochs 2 --epoch-windows 12 --batch 4 --validation 0.34"


def test_command_has_what_differs_from_the_defaults():
    assert Run("a", SETTINGS).command() == f"{WORDS} --validation-windows 6 --data DIR --out MODELFOLDER"
    assert Run("a", imported="256_RAE.pt").command() == "edgevoice-export import-disvoice 256_RAE.pt"


def test_command_has_initial_weights_table_and_padding():
    run = Run("a", dataclasses.replace(SETTINGS, init="cae-64"), table=True, pad=True)
    assert "--arch cae --units 64 --init cae-64 --epochs 2 " in run.command()
    assert run.command().endswith(" --data DIR --table CSV --pad --out MODELFOLDER")
    command = run.command(begun_with=Path("my/cae"), given=["--data", "mine"], out=Path("my model"))
    assert " --init my/cae " in command
    assert command.endswith(" --data mine --pad --out 'my model'")


@pytest.mark.parametrize(
    "found",
    [
        3,
        [1],
        [{"model": "a"}],
        [{"model": "a", "command": "edgevoice-export train"}],
        [{"model": "a", "settings": {"arch": "none", "units": 64}}],
        [{"model": "a", "settings": {"arch": "cae", "units": 64}, "imported": "x"}],
        [{"model": "a", "settings": {"arch": "cae", "units": 64, "consistency": 0.1, "consistent_under": "mp3"}}],
    ],
)
def test_lineage_of_another_kind_is_refused(exported: ModelFolder, found: Any):
    with pytest.raises(ModelConfigError):
        model_lineage(dataclasses.replace(exported.config, origin={"lineage": found}))


def test_shipped_models_have_their_own_run_last():
    for folder in list_models():
        own = model_lineage(folder.config)[-1]
        assert own.model == f"{folder.config.name} {folder.config.version}"
        assert own.settings is not None
        assert own.settings.units == folder.config.features.bottleneck


def test_every_run_on_the_way_is_kept(exported: ModelFolder, corpus: Corpus, tmp_path: Path):
    """A model folder, a checkpoint that began with it, one that began with that."""
    settings = dataclasses.replace(SETTINGS, epochs=1, epoch_windows=4)
    source = exported.path
    for name in ("second", "third"):
        assert train(settings, corpus, tmp_path / f"{name}.training", initial=read_weights(source))
        source = tmp_path / f"{name}.training" / BEST
    assert read_weights(source).lineage == (
        Run("cae-64 1.0.0", SETTINGS),
        Run("second", settings),
        Run("third", settings),
    )
