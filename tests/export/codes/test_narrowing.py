from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevoice.errors import ArgumentError
from edgevoice_export.codes.narrowing import WINDOWS_A_UNIT, narrowed
from edgevoice_export.networks import ARCHITECTURES

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


def test_largest_directions_are_kept():
    """Of a bottleneck that is used in full, narrowing loses less than leaving out any of 20 random halves."""
    architecture = ARCHITECTURES["lamprou-linear"]
    network, windows = wide_network("lamprou-linear")
    weights, (column,) = network.state_dict(), architecture.code_columns
    weights[column] = torch.randn(256, WIDE) * torch.logspace(0, -3, WIDE)
    small = narrowed(architecture, weights, NARROW, windows)
    with torch.no_grad():
        network.load_state_dict(weights)
        bottleneck = network.get_submodule("encoder")(windows[:200])
        wanted = bottleneck @ weights[column].T
        fewer = architecture.network(NARROW).eval()
        fewer.load_state_dict(small)
        missed = (fewer.get_submodule("encoder")(windows[:200]) @ small[column].T - wanted).square().mean()
        for seed in range(20):
            kept = torch.randperm(WIDE, generator=torch.Generator().manual_seed(seed))[:NARROW]
            left = bottleneck[:, kept] @ weights[column][:, kept].T - wanted
            assert missed < left.square().mean()


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
