from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.errors import ArgumentError, ModelConfigError, OutputError, ProviderError
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.networks.architecture import Autoencoder
from edgevoice_export.training.loop import BEST, CHECKPOINT, train
from edgevoice_export.training.optimisers import OPTIMISERS, optimiser
from edgevoice_export.training.ordering import FEWEST, cut_codes
from edgevoice_export.training.runs import Checkpoint, Run
from edgevoice_export.training.settings import Settings
from edgevoice_export.training.steps import Contrast
from edgevoice_export.training.weights import Weights, read_weights
from shortrun import SETTINGS, Stop


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = Checkpoint.read(folder / CHECKPOINT).weights
    return tensors


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("steps", [3, 5])  # at the end of an epoch, within the next: the same seed gives the same weights
def test_interrupted_and_resumed_gives_the_same(trained: Path, corpus: Corpus, tmp_path: Path, steps: int):
    stop = Stop(steps)
    assert not train(SETTINGS, corpus, tmp_path, stopped=stop, report=stop.report)
    assert Checkpoint.read(tmp_path / CHECKPOINT).step == steps
    assert train(SETTINGS, corpus, tmp_path, resume=True)
    assert_equal(weights(tmp_path), weights(trained))
    plain, expected = (
        [dataclasses.replace(epoch, seconds=0.0) for epoch in Checkpoint.read(folder / BEST).history]
        for folder in (tmp_path, trained)
    )
    assert plain == expected


def test_resuming_a_finished_run_changes_nothing(trained: Path, corpus: Corpus):
    before = (trained / CHECKPOINT).read_bytes()
    assert train(SETTINGS, corpus, trained, resume=True)
    assert (trained / CHECKPOINT).read_bytes() == before


def test_resume_refuses_other_settings_and_data(trained: Path, corpus: Corpus, tmp_path: Path):
    with pytest.raises(ArgumentError):
        train(dataclasses.replace(SETTINGS, batch=5), corpus, trained, resume=True)
    with pytest.raises(ArgumentError):
        train(SETTINGS, dataclasses.replace(corpus, digest="0"), trained, resume=True)
    with pytest.raises(ArgumentError):
        train(SETTINGS, corpus, tmp_path, resume=True)
    (tmp_path / CHECKPOINT).write_bytes((trained / BEST).read_bytes())
    with pytest.raises(ArgumentError):
        train(SETTINGS, corpus, tmp_path, resume=True)


def test_training_learns(corpus: Corpus, tmp_path: Path):
    settings = dataclasses.replace(SETTINGS, epochs=4, epoch_windows=24, rate=1e-2)
    assert train(settings, corpus, tmp_path)
    history = Checkpoint.read(tmp_path / CHECKPOINT).history
    assert history[-1].training < 0.5 * history[0].training
    assert Checkpoint.read(tmp_path / BEST).history[-1].score == min(epoch.score for epoch in history)


def test_weights_that_do_not_fit_are_refused(trained: Path, corpus: Corpus, tmp_path: Path):
    given = read_weights(trained / BEST)
    with pytest.raises(ArgumentError):
        train(dataclasses.replace(SETTINGS, units=128), corpus, tmp_path, initial=given)
    del given.tensors["encoder.linear.bias"]
    with pytest.raises(ModelConfigError):
        train(SETTINGS, corpus, tmp_path, initial=given)


def test_contrast_draws_windows_of_one_recording_together(corpus: Corpus, tmp_path: Path):
    settings = dataclasses.replace(
        SETTINGS, epochs=1, epoch_windows=320, batch=16, rate=3e-3, contrast=0.05, temperature=0.2
    )
    assert train(settings, corpus, tmp_path / "with")
    history = Checkpoint.read(tmp_path / "with" / CHECKPOINT).history
    assert history[-1].contrast is not None
    assert history[-1].contrast < 0.9 * math.log(8)  # that of codes that say nothing
    assert train(dataclasses.replace(settings, contrast=0.0), corpus, tmp_path / "without")
    assert Checkpoint.read(tmp_path / "without" / CHECKPOINT).history[-1].contrast is None
    assert not torch.equal(
        weights(tmp_path / "with")["encoder.conv1.weight"], weights(tmp_path / "without")["encoder.conv1.weight"]
    )


DEVICE = {"sampler": "device", "contrast": 1e-4, "augment": 0.5, "changes": "noise,mp3,coarse,band"}


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({**DEVICE, "batch": 16, "epoch_windows": 48}, 4),
        ({"arch": "rae", "optimiser": "soap", "epochs": 1, "epoch_windows": 100}, 23),  # past the first new eigenbasis
    ],
    ids=["device", "soap"],
)
def test_other_state_is_resumed_too(corpus: Corpus, tmp_path: Path, change: dict[str, Any], steps: int):
    settings, stop = dataclasses.replace(SETTINGS, **change), Stop(steps)
    assert train(settings, corpus, tmp_path / "whole")
    assert not train(settings, corpus, tmp_path / "parts", stopped=stop, report=stop.report)
    assert train(settings, corpus, tmp_path / "parts", resume=True)
    assert_equal(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def test_with_a_contrast_the_last_epoch_is_kept(corpus: Corpus, tmp_path: Path):
    settings = dataclasses.replace(SETTINGS, epochs=2, epoch_windows=32, batch=16, rate=0.3, warmup=0.0, contrast=1e-4)
    initial = Weights("cae", 64, ARCHITECTURES["cae"].network(64).state_dict())
    assert train(settings, corpus, tmp_path, initial=initial)
    history = Checkpoint.read(tmp_path / BEST).history
    assert [epoch.epoch for epoch in history] == [0, 1, 2]
    assert train(dataclasses.replace(settings, contrast=0.0), corpus, tmp_path / "without", initial=initial)
    best = Checkpoint.read(tmp_path / "without" / BEST).history
    assert best[-1].score == min(epoch.score for epoch in Checkpoint.read(tmp_path / "without" / CHECKPOINT).history)


def test_contrast_is_that_of_van_den_oord():
    contrast = Contrast(units=4, size=3, temperature=0.5)
    codes = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    pairs = torch.tensor([[0, 5], [1, 6], [2, 7], [9, 3]])
    standard = (codes - codes.mean(0)) / codes.std(0, correction=0)
    projected = standard @ contrast.projection.weight.detach().T
    projected = projected / projected.norm(dim=1, keepdim=True)
    expected = 0.0
    for one, other in ((0, 1), (1, 0)):
        for pair in pairs:
            similar = torch.stack([projected[pair[one]] @ projected[k] / 0.5 for k in pairs[:, other]])
            own = projected[pair[one]] @ projected[pair[other]] / 0.5
            expected += float(similar.logsumexp(0) - own) / 8
    assert contrast(codes, pairs).item() == pytest.approx(expected, rel=1e-4)


def test_fixed_norms_keep_their_statistics_and_learn_on(corpus: Corpus, tmp_path: Path):
    settings = dataclasses.replace(SETTINGS, fixed_norms=0.5)
    half = Stop(settings.steps // 2)
    train(settings, corpus, tmp_path, stopped=half, report=half.report)
    before = weights(tmp_path)
    assert train(settings, corpus, tmp_path, resume=True)
    after = weights(tmp_path)
    fresh = ARCHITECTURES["cae"].network(settings.units).state_dict()
    for name in (name for name in before if "running_" in name):
        assert not torch.equal(before[name], fresh[name])
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)
    assert not torch.equal(after["decoder.bn1.weight"], before["decoder.bn1.weight"])


def test_weights_of_tiny_gradients_learn(corpus: Corpus, tmp_path: Path):
    """As late in a run: with Adam's usual epsilon this bias would move by a tenth of the rate, and less."""
    settings = dataclasses.replace(SETTINGS, epochs=1, epoch_windows=4, rate=1e-3, warmup=0.0, decay=0.0)
    initial = ARCHITECTURES["cae"].network(settings.units).state_dict()
    initial["decoder.conv4.weight"] *= 1e-4
    assert train(settings, corpus, tmp_path, initial=Weights("cae", settings.units, initial))
    moved = (weights(tmp_path)["decoder.linear.bias"] - initial["decoder.linear.bias"]).abs()
    assert moved.median() == pytest.approx(1e-3, rel=0.01)


def test_bfloat16_and_recurrent_network(corpus: Corpus, tmp_path: Path):
    settings = dataclasses.replace(SETTINGS, arch="rae", epochs=1, epoch_windows=4, bfloat16=0.5)
    assert train(settings, corpus, tmp_path)
    assert np.isfinite(Checkpoint.read(tmp_path / BEST).history[0].validation["running"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_an_error(corpus: Corpus, tmp_path: Path):
    with pytest.raises(ProviderError):
        train(SETTINGS, corpus, tmp_path, device="cuda")


@pytest.mark.parametrize("name", OPTIMISERS)
def test_matrices_alone_are_decayed(name: str):
    layer = torch.nn.Linear(4, 4)
    stepper = optimiser(name, layer, rate=0.1, decay=0.5)
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    for _ in range(2):  # SOAP's first step is its first look at the gradients
        stepper.zero_grad()
        (0.0 * layer(torch.ones(1, 4))).sum().backward()  # type: ignore[no-untyped-call]
        stepper.step()
    steps = {"adamw": 2, "soap": 1}[name]
    torch.testing.assert_close(layer.weight.detach(), weight * 0.95**steps)
    torch.testing.assert_close(layer.bias.detach(), bias)


def lengths(share: float, *, training: bool = True) -> torch.Tensor:
    """How many numbers of each code the decoder gets."""
    torch.manual_seed(0)
    network = Autoencoder(torch.nn.Identity(), torch.nn.Identity()).train(training)
    cut_codes(network, share)
    codes = torch.ones(2000, 64)
    seen, whole = network(codes)
    assert torch.equal(whole, codes)
    count = seen.sum(dim=1).long()
    assert torch.equal(seen, (torch.arange(64) < count[:, None]).float())
    return count


def test_a_share_of_the_codes_is_cut_anywhere_from_the_fewest_on() -> None:
    count = lengths(0.5)
    assert abs((count < 64).float().mean() - 0.5) < 0.05
    assert set(range(FEWEST, 64)) <= set(count.tolist())
    assert count.min() == FEWEST
    doublings = [((count >= low) & (count < 2 * low)).sum().item() for low in (8, 16, 32)]
    assert max(doublings) < 1.3 * min(doublings)


def test_whole_codes() -> None:
    assert (lengths(0.0) == 64).all()
    assert (lengths(1.0, training=False) == 64).all()


@given(step=st.integers(0, 999))
def test_learning_rate_is_one_cycle(step: int):
    settings = Settings("cae", 64, epochs=10, epoch_windows=100, batch=1, rate=0.5, warmup=0.1)
    rate = settings.learning_rate(step)
    assert 0 < rate <= 0.5
    if step < 99:
        assert rate < settings.learning_rate(step + 1)
    elif step < 999:
        assert rate > settings.learning_rate(step + 1) or step == 99


@pytest.mark.parametrize(
    "change",
    [
        {"arch": "x"},
        {"units": 65},
        {"optimiser": "sgd"},
        {"epochs": 0},
        {"augment": 1.5},
        {"rate": math.nan},
        {"jitter_db": math.inf},
        {"seed": -1},
        {"changes": "mp3"},
        {"augment": 0.5, "changes": "noise,rain"},
        {"fixed_norms": 1.0},
    ],
)
def test_settings_are_checked(change: dict[str, object]):
    with pytest.raises(ArgumentError):
        dataclasses.replace(SETTINGS, **change)  # type: ignore[arg-type]


def test_checkpoint_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    checkpoint = Checkpoint(Run("m", SETTINGS), (), "", {}, 1, [], {})
    checkpoint.write(path)

    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # as a disk that is full in the midst of it
    try:
        with pytest.raises(OutputError):
            dataclasses.replace(checkpoint, step=2, weights={"x": torch.zeros(100_000)}).write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Checkpoint.read(path) == checkpoint
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04"])
def test_broken_checkpoint_is_a_typed_error(tmp_path: Path, content: bytes):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(ModelConfigError):
        Checkpoint.read(path)
