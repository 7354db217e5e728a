"""The 74 x 200 network, layer by layer against the study's summaries."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the export extra is not installed")

import torch
from torch import nn

from edgevoice_export.networks import ARCHITECTURES

KINDS = ["lamprou", "lamprou-linear"]

# Keras's output shapes (row, column, channel) and parameters, of the layers that have some
ENCODER = [
    ((37, 100, 16), 80),
    ((18, 50, 32), 2080),
    ((6, 16, 64), 18_496),
    ((2, 5, 128), 73_856),
    ((256,), 327_936),
    ((64,), 16_448),
]
DECODER = [
    ((256,), 16_640),
    ((1280,), 328_960),
    ((6, 16, 64), 73_792),
    ((18, 50, 32), 18_464),
    ((37, 100, 16), 2064),
    ((74, 200, 1), 65),
]


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def layers(part: nn.Sequential, x: torch.Tensor) -> list[tuple[tuple[int, ...], int]]:
    """Shape without the batch, channels last, and parameters of each layer that has some."""
    found = []
    for layer in part:
        x = layer(x)
        if parameters(layer):
            shape = tuple(x.shape[1:])
            found.append(((*shape[1:], shape[0]), parameters(layer)))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_those_of_the_slides(kind: str) -> None:
    network = ARCHITECTURES[kind].network(64).eval()
    assert layers(network.encoder, torch.rand(2, 1, 200, 74)) == ENCODER
    assert layers(network.decoder, torch.rand(2, 64)) == DECODER


def test_dropout_is_between_convolutions_and_in_training_alone() -> None:
    network = ARCHITECTURES["lamprou"].network(64)
    for part in (network.encoder, network.decoder):
        assert sum(isinstance(layer, nn.Dropout) for layer in part) == 3
        assert all(layer.p == 0.2 for layer in part if isinstance(layer, nn.Dropout))
    spectrograms = torch.rand(2, 1, 200, 74)
    assert not torch.equal(network(spectrograms)[0], network(spectrograms)[0])
    network.eval()
    assert torch.equal(network(spectrograms)[0], network(spectrograms)[0])
