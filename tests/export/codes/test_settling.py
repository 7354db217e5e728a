from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from edgevoice_export.codes.settling import bottleneck_sizes, bottlenecks, scale_bottleneck, straightened
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.training.loop import BEST, CHECKPOINT
from edgevoice_export.training.runs import Checkpoint

RAE = ARCHITECTURES["rae"]
RARE = 7
"""The number that is off in all of `windows()`; its neighbour is on in half of them, all others in all."""


def windows(count: int = 200) -> Tensor:
    return torch.rand(count, 1, 128, 126, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weights() -> dict[str, Tensor]:
    torch.manual_seed(1)
    network = RAE.network(64)
    before, _ = bottlenecks(RAE, network, windows())
    border = before.amin(dim=0) - 0.01
    border[RARE], border[RARE + 1] = before[:, RARE].max() + 0.01, before[:, RARE + 1].median()
    network.state_dict()["encoder.linear.bias"].sub_(border)
    return dict(network.state_dict())


def built(weights: dict[str, Tensor]) -> torch.nn.Module:
    network = RAE.network(64)
    network.load_state_dict(weights)
    return network.eval()


@torch.no_grad()
def test_a_number_that_is_off_is_made_linear_and_nothing_else_changes(weights: dict[str, Tensor]):
    old, new = built(weights), built(straightened(RAE, weights, windows()))
    torch.testing.assert_close(new(windows())[0], old(windows())[0], rtol=0, atol=1e-6)
    before, after = bottlenecks(RAE, new, windows())
    assert torch.equal(before[:, RARE], after[:, RARE]), "bent"
    _, code = bottlenecks(RAE, old, windows())
    difference = after[:, RARE] - code[:, RARE]
    torch.testing.assert_close(difference, difference.mean().expand(200), rtol=0, atol=1e-6)
    moved = (after != code).any(dim=0)
    assert moved[RARE]
    assert not moved[RARE + 1]


@torch.no_grad()
def test_what_would_turn_it_on_moves_it_no_further_than_its_flat_side(weights: dict[str, Tensor]):
    old, new = built(weights), built(straightened(RAE, weights, windows()))
    other = torch.cat([torch.zeros(1, 1, 128, 126), 20 * windows(20) - 10])
    usual, unusual = (bottlenecks(RAE, old, images)[0][:, RARE] for images in (windows(), other))
    assert unusual.max() > 0.05, "nothing turns it on"
    jump, moved = (
        (bottlenecks(RAE, network, other)[1] - bottlenecks(RAE, network, windows())[1].mean(dim=0))[:, RARE].max()
        for network in (old, new)
    )
    flat = 0.01 * (unusual - usual.mean()).max()
    torch.testing.assert_close(moved, flat, rtol=0.01, atol=0)
    assert jump > 10 * moved


@pytest.mark.parametrize("arch", ["cae", "lamprou-linear"])
def test_a_linear_bottleneck_stays(arch: str):
    architecture = ARCHITECTURES[arch]
    shape = (128, 126) if arch == "cae" else (74, 200)
    weights = dict(architecture.network(64).state_dict())
    new = straightened(architecture, weights, torch.rand(8, 1, *shape))
    assert all(torch.equal(new[name], weights[name]) for name in weights)


@torch.no_grad()
def test_twice_is_once(weights: dict[str, Tensor]):
    once = straightened(RAE, weights, windows())
    twice = straightened(RAE, once, windows())
    assert all(torch.equal(once[name], twice[name]) for name in once)


@pytest.mark.parametrize("arch", [name for name, architecture in ARCHITECTURES.items() if architecture.code_rows])
def test_same_reconstruction_from_a_bottleneck_of_size_near_one(arch: str):
    torch.manual_seed(1)
    architecture = ARCHITECTURES[arch]
    network = architecture.network(64).eval()
    network.state_dict()[architecture.code_rows[1]].uniform_(0.5, 8)
    spectrograms = torch.rand(16, 1, *architecture.preprocessing.shape)
    with torch.no_grad():
        before, code = network(spectrograms)
    linear, bent = bottlenecks(architecture, network, spectrograms)
    torch.testing.assert_close(bent, code)
    torch.testing.assert_close(linear.clamp(min=0), code.clamp(min=0) if arch == "rae" else linear.clamp(min=0))
    sizes = bottleneck_sizes(architecture, network, spectrograms)
    torch.testing.assert_close(sizes, linear.square().mean(dim=0).sqrt())
    sizes[3] = 0.0
    network.load_state_dict(scale_bottleneck(architecture, network.state_dict(), sizes))
    with torch.no_grad():
        after, scaled = network(spectrograms)
    factors = code / scaled
    assert torch.equal(before, after)
    assert torch.equal(factors[:, 3], torch.ones(16))
    assert torch.equal(torch.frexp(factors)[0], torch.full_like(factors, 0.5)), "not powers of two"
    size = bottleneck_sizes(architecture, network, spectrograms)[sizes > 0]
    assert size.min() > 0.7
    assert size.max() < 1.42


def test_best_checkpoint_is_scaled(trained: Path):
    """At the last epoch, the two files hold the same network, and another scale of the bottleneck."""
    best, last = Checkpoint.read(trained / BEST), Checkpoint.read(trained / CHECKPOINT)
    assert best.step == last.step
    for name, tensor in last.weights.items():
        scaled = name in {*ARCHITECTURES["cae"].code_rows, *ARCHITECTURES["cae"].code_columns}
        assert torch.equal(best.weights[name], tensor) != scaled


def test_small_differences_of_large_numbers_stay_small():
    """Their rounding is that of the large ones: they are not brought to the size 1."""
    architecture = ARCHITECTURES["cae"]
    torch.manual_seed(1)
    network = architecture.network(64).eval()
    weights = network.state_dict()
    weights["encoder.linear.weight"][7, :2] = torch.tensor([1e3, -1e3])
    spectrograms = torch.zeros(16, 1, 128, 126)
    _, code = bottlenecks(architecture, network, spectrograms)
    assert code[:, 7].abs().max() < 10, "not a small difference"
    assert bottleneck_sizes(architecture, network, spectrograms)[7] > 100
