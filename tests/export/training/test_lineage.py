from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgevoice.errors import ModelConfigError
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.training.lineage import Run, lineage_of, lineage_told, training_command
from edgevoice_export.training.loop import BEST, train
from edgevoice_export.training.weights import read_weights
from shortrun import SETTINGS

OWN = {"model": "b 2.0.0", "command": "train b"}


def test_command_has_what_differs_from_the_defaults(corpus: Corpus):
    assert training_command(SETTINGS, corpus, "cae-64") == (
        "edgevoice-export train --arch cae --units 64 --epochs 2 --epoch-windows 12 --batch 4 --validation 0.34 "
        "--validation-windows 6 --data DIR --out models/cae-64"
    )


def test_command_tells_of_initial_weights_table_and_padding(corpus: Corpus):
    settings = dataclasses.replace(SETTINGS, init="cae-64")
    command = training_command(settings, dataclasses.replace(corpus, shortest=1, table=Path("/mine/list.csv")), "my cae")
    assert command.startswith("edgevoice-export train --arch cae --units 64 --init cae-64 --epochs 2 ")
    assert command.endswith(" --data DIR --table CSV --pad --out 'models/my cae'")


def test_own_run_comes_after_the_earlier_ones():
    lineage = (Run("a", "train a"), Run("b 1.0.0", "train b"))
    assert lineage_of(OWN) == (Run(**OWN),)
    assert lineage_of(OWN | {"lineage": lineage_told(lineage)}) == (*lineage, Run(**OWN))
    assert lineage_of({}) == ()


@pytest.mark.parametrize("told", [3, "abc", [1], [{"model": "a"}], [["a", "b"]]])
def test_lineage_of_another_kind_is_refused(told: Any):
    with pytest.raises(ModelConfigError, match=r"origin\.lineage"):
        lineage_of(OWN | {"lineage": told})


def test_every_run_on_the_way_is_kept(exported: ModelFolder, corpus: Corpus, tmp_path: Path):
    """A model folder, a checkpoint that began with it, one that began with that."""
    settings = dataclasses.replace(SETTINGS, epochs=1, epoch_windows=4)
    source = exported.path
    for name in ("second", "third"):
        assert train(settings, corpus, tmp_path / f"{name}.training", initial=read_weights(source))
        source = tmp_path / f"{name}.training" / BEST
    assert read_weights(source).lineage == (
        Run("cae-64 1.0.0", exported.config.origin["command"]),
        Run("best.pt", training_command(settings, corpus, "second")),
        Run("best.pt", training_command(settings, corpus, "third")),
    )
