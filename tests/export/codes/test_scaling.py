from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgevoice_export.codes.settling import bottleneck_sizes, bottlenecks, scale_bottleneck
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.training.loop import BEST, CHECKPOINT
from edgevoice_export.training.runs import Checkpoint


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
