from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgevoice.errors import ArgumentError
from edgevoice_export.codes import (
    WINDOWS_A_UNIT,
    bottleneck_sizes,
    bottlenecks,
    narrowed,
    scale_bottleneck,
    straightened,
)
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.training.loop import BEST, CHECKPOINT
from edgevoice_export.training.runs import Checkpoint

WIDE, NARROW = 128, 64


def wide_network(arch: str) -> tuple[nn.Module, torch.Tensor]:
    """A network that uses half of its bottleneck at most, and windows."""
    torch.manual_seed(0)
    architecture = ARCHITECTURES[arch]
    network = architecture.network(WIDE).eval()
    weights = network.state_dict()
    columns = weights[architecture.code_columns[0]]
    columns.copy_(4 * torch.randn(len(columns), NARROW) @ torch.randn(NARROW, WIDE) / WIDE)
    if arch == "rae":  # as trained ones do, let windows differ
        for name in ("encoder.lstm1.weight_ih_l0", "encoder.lstm1.weight_ih_l0_reverse", "encoder.linear.weight"):
            weights[name] *= 5
    shape = architecture.preprocessing.shape
    smooth = torch.rand(WINDOWS_A_UNIT * WIDE, 1, 8, 6)
    return network, nn.functional.interpolate(smooth, size=shape, mode="bilinear")


@pytest.mark.parametrize(
    ("arch", "lift"), [("rae", 9.0), ("lamprou-linear", 0.0), pytest.param("cae", 0.0, marks=pytest.mark.slow)]
)
def test_nothing_is_lost_that_was_not_used(arch: str, lift: float):
    """Where the bottleneck is linear, and where it lies on the straight part of its activation."""
    network, windows = wide_network(arch)
    architecture, weights = ARCHITECTURES[arch], network.state_dict()
    weights[architecture.code_rows[1]] += lift
    weights[architecture.code_bias] -= lift * weights[architecture.code_columns[0]].sum(dim=1)
    before, after, code = narrow_network(arch, network, windows)
    assert lost(before, after) < 1e-4
    assert code.shape == (100, NARROW)


def test_a_bent_bottleneck_moves_to_the_straight_part():
    network, windows = wide_network("rae")
    before, after, code = narrow_network("rae", network, windows)
    assert (code > 0).all()
    assert lost(before, after) < 0.3


def lost(before: torch.Tensor, after: torch.Tensor) -> float:
    """What has changed of what differs between windows, as a share of its power."""
    return float((after - before).square().mean() / (before - before.mean(dim=0)).square().mean())


def narrow_network(arch: str, network: nn.Module, windows: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Reconstructions by the wide and the narrow network, and the narrow one's bottleneck, of the first windows."""
    architecture = ARCHITECTURES[arch]
    small = architecture.network(NARROW).eval()
    small.load_state_dict(narrowed(architecture, network.state_dict(), NARROW, windows))
    with torch.no_grad():
        return network(windows[:100])[0], *small(windows[:100])


def test_what_cannot_be_narrowed_is_refused():
    architecture = ARCHITECTURES["lamprou-linear"]
    network, windows = wide_network("lamprou-linear")
    with pytest.raises(ArgumentError):
        narrowed(architecture, network.state_dict(), WIDE, windows)
    with pytest.raises(ArgumentError):
        narrowed(architecture, network.state_dict(), NARROW, windows[:-1])
    softmax = next(other for other in ARCHITECTURES.values() if not other.code_rows)
    with pytest.raises(ArgumentError):
        narrowed(softmax, {}, NARROW, windows)


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
    once = dict(new.state_dict())
    twice = straightened(RAE, once, windows())
    assert all(torch.equal(once[name], twice[name]) for name in once)


@pytest.mark.parametrize("arch", ["cae", "lamprou-linear"])
def test_a_linear_bottleneck_stays(arch: str):
    architecture = ARCHITECTURES[arch]
    shape = architecture.preprocessing.shape
    weights = dict(architecture.network(64).state_dict())
    new = straightened(architecture, weights, torch.rand(8, 1, *shape))
    assert all(torch.equal(new[name], weights[name]) for name in weights)


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
    network = architecture.network(64).eval()
    network.state_dict()["encoder.linear.weight"][7, :2] = torch.tensor([1e3, -1e3])
    spectrograms = torch.zeros(16, 1, 128, 126)
    assert bottlenecks(architecture, network, spectrograms)[1][:, 7].abs().max() < 10, "not a small difference"
    assert bottleneck_sizes(architecture, network, spectrograms)[7] > 100
