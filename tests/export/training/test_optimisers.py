from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from edgevoice_export.data.corpus import Corpus
from edgevoice_export.training.loop import CHECKPOINT, train
from edgevoice_export.training.optimisers import OPTIMISERS, optimiser
from edgevoice_export.training.runs import Checkpoint
from shortrun import SETTINGS, Stop


@pytest.mark.parametrize("name", OPTIMISERS)
def test_matrices_alone_are_decayed(name: str):
    layer = nn.Linear(4, 4)
    stepper = optimiser(name, layer, rate=0.1, decay=0.5)
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    for _ in range(2):  # SOAP's first step is its first look at the gradients
        stepper.zero_grad()
        (0.0 * layer(torch.ones(1, 4))).sum().backward()  # type: ignore[no-untyped-call]
        stepper.step()
    steps = {"adamw": 2, "soap": 1}[name]
    torch.testing.assert_close(layer.weight.detach(), weight * 0.95**steps)
    torch.testing.assert_close(layer.bias.detach(), bias)


def test_a_run_with_soap_is_resumed_to_the_same_weights(corpus: Corpus, tmp_path: Path):
    settings = dataclasses.replace(SETTINGS, arch="rae", optimiser="soap", epochs=1, epoch_windows=100)
    stop = Stop(23)  # past the first new eigenbasis
    assert train(settings, corpus, tmp_path / "whole")
    assert not train(settings, corpus, tmp_path / "parts", stopped=stop, report=stop.report)
    assert train(settings, corpus, tmp_path / "parts", resume=True)
    whole, parts = (Checkpoint.read(tmp_path / run / CHECKPOINT).weights for run in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
