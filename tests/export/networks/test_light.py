"""The light network: its size, its beginning as a linear code, and the way to a model folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import edgevoice
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.publish.card import Description
from edgevoice_export.publish.export import export_checkpoint
from edgevoice_export.training.loop import BEST, train
from edgevoice_export.training.runs import Checkpoint, Run
from edgevoice_export.training.weights import Weights
from shortrun import SETTINGS

LIGHT = ARCHITECTURES["light"]


def multiplications(network: torch.nn.Module, shape: tuple[int, int]) -> float:
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, *shape))
    return float(counter.get_total_flops() / 2)


def smooth(count: int, rank: int, seed: int = 0) -> torch.Tensor:
    """Windows (n, 1, 128, 64) with `rank` degrees of freedom of falling size, about a mean."""
    random = torch.Generator().manual_seed(seed)
    places = torch.arange(128)[:, None], torch.arange(64)
    waves = torch.stack([torch.cos(places[0] * (k % 8) / 40) * torch.cos(places[1] * (k // 8) / 20) for k in range(rank)])
    sizes = 0.5 ** torch.arange(rank) * torch.randn(count, rank, generator=random)
    return (0.8 + 0.06 * torch.einsum("nk,kbc->nbc", sizes, waves)).unsqueeze(1)


def test_every_second_column_of_the_other_networks() -> None:
    samples = np.random.default_rng(0).standard_normal((1, 8000)).astype(np.float32)
    light, cae = (ARCHITECTURES[name].preprocessing.front_end.compute(samples)[0] for name in ("light", "cae"))
    assert np.array_equal(light[:, 1:], cae[:, 1::2])


def test_a_fifth_of_the_arithmetic_and_small_enough_for_a_browser() -> None:
    light, cae = LIGHT.network(256).eval(), ARCHITECTURES["cae"].network(256).train()
    assert multiplications(light, (128, 64)) < multiplications(cae, (128, 126)) / 5
    assert 2 * sum(parameter.numel() for parameter in light.parameters()) < 4e6  # bytes, as float16


def test_begins_as_the_principal_components_in_their_order() -> None:
    network, windows = LIGHT.network(64).eval(), smooth(200, 10)
    assert LIGHT.begin
    LIGHT.begin(network, torch.split(windows, 60))
    with torch.inference_mode():
        reconstruction, code = network(windows)
        torch.testing.assert_close(reconstruction, windows, atol=2e-4, rtol=0)
        sizes = code.square().mean(dim=0)
        assert (sizes[1:10] < sizes[:9]).all()
        power = code.T @ code / len(code)
        assert (power - power.diag().diag()).abs().max() < 1e-3 * sizes[0]
        # The first numbers are the best linear code of their size.
        centred = (windows - windows.mean(dim=0)).flatten(1)
        left = torch.linalg.svdvals(centred).square()[3:].sum() / centred.numel()
        cut = network.decoder(code * (torch.arange(64) < 3))
        torch.testing.assert_close((cut - windows).square().mean(), left, rtol=0.02, atol=0)


def test_both_paths_learn() -> None:
    network, windows = LIGHT.network(64).train(), smooth(16, 6)
    assert LIGHT.begin
    LIGHT.begin(network, [windows])
    stepper = torch.optim.Adam(network.parameters(), 1e-3)
    before = {name: value.clone() for name, value in network.named_parameters()}
    for _ in range(3):
        stepper.zero_grad()
        (network(windows)[0] - 1.01 * windows).square().mean().backward()
        stepper.step()
    assert not [name for name, value in network.named_parameters() if torch.equal(value, before[name])]


def test_a_narrower_network_begins_with_the_first_numbers_of_an_ordered_code(corpus: Corpus, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, arch="light", units=128, ordered=0.5)
    wide, windows = LIGHT.network(128).eval(), smooth(20, 100)
    assert LIGHT.begin
    LIGHT.begin(wide, [windows])
    initial = Weights("light", 128, wide.state_dict(), lineage=(Run("wide", settings),))
    narrow = dataclasses.replace(settings, units=64, init="wide", epochs=1, epoch_windows=4, rate=1e-9)
    assert train(narrow, corpus, tmp_path, initial=initial)
    found = LIGHT.network(64).eval()
    found.load_state_dict(Checkpoint.read(tmp_path / BEST).weights)
    with torch.inference_mode():
        wanted = wide.decoder(wide.encoder(windows) * (torch.arange(128) < 64))
        torch.testing.assert_close(found(windows)[0], wanted, atol=1e-5, rtol=0)


def test_from_training_to_a_model_folder(corpus: Corpus, audio_folder: Path, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, arch="light", epochs=1, epoch_windows=8, rate=1e-4, ordered=0.5)
    assert train(settings, corpus, tmp_path / "run")
    (epoch,) = Checkpoint.read(tmp_path / "run" / BEST).history
    assert epoch.score < 2e-3  # of speakers that it never heard; random weights: 0.5
    folder, _ = export_checkpoint(tmp_path / "run" / BEST, corpus, tmp_path / "light-64", Description("light-64"))
    assert folder.config.spectrogram.step == 128
    assert edgevoice.load(folder.path).extract(audio_folder / "anna" / "one.wav").values.shape == (4, 64 + 128)
