"""A light autoencoder: a linear path, and a small convolutional one that adds what is not linear.

The linear path projects the two axes of a spectrogram, bands and columns, and then the 2048 products onto the code; the
decoder mirrors it. Before training, the projections are the principal components of the training windows (C. Eckart and
G. Young, "The approximation of one matrix by another of lower rank", Psychometrika 1, 1936) and the convolutional path adds
nothing: the network begins as the best linear code, its numbers in the order of what they carry.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgevoice.errors import ArgumentError
from edgevoice_export.data.preprocessing import DISVOICE
from edgevoice_export.networks.architecture import Architecture, Autoencoder

BANDS, COLUMNS = 128, 64
ROWS, STEPS = 64, 32
"""Projections of the bands and of the columns."""
LINEAR = ROWS * STEPS
ENCODING, DECODING = (16, 32, 32), (32, 64, 32)
"""Channels of the images of 32 x 16, 16 x 8 and 8 x 4."""
SMALL = (8, 4)
SPREAD = 0.06
"""The standard deviation of a standardised spectrogram of speech, about: by it the network's input is divided."""


class Block(nn.Module):
    """A 3x3 convolution and one of 1x1, added to their input (n, channels, rows, columns)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return an image of the same shape."""
        added: Tensor = self.conv2(functional.leaky_relu(self.conv1(x)))
        return x + added


class Encoder(nn.Module):
    """Spectrogram (n, 1, 128, 64) -> bottleneck (n, units)."""

    mean: Tensor

    def __init__(self, units: int) -> None:
        super().__init__()
        first, second, third = ENCODING
        self.register_buffer("mean", torch.zeros(1, BANDS, COLUMNS))
        self.bands = nn.Parameter(torch.randn(ROWS, BANDS) / BANDS**0.5)
        self.columns = nn.Parameter(torch.randn(COLUMNS, STEPS) / COLUMNS**0.5)
        self.fine = nn.Sequential(
            nn.Conv2d(1, first, 6, stride=4, padding=1),  # (n, 16, 32, 16)
            nn.LeakyReLU(),
            nn.Conv2d(first, second, 4, stride=2, padding=1),  # (n, 32, 16, 8)
            nn.LeakyReLU(),
            nn.Conv2d(second, third, 4, stride=2, padding=1),  # (n, 32, 8, 4)
            nn.LeakyReLU(),
            Block(third),
        )
        self.linear = nn.Linear(LINEAR + third * math.prod(SMALL), units)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return the bottleneck (n, units) of standardised spectrograms (n, 1, 128, 64)."""
        x = (spectrogram - self.mean) / SPREAD
        projected = self.bands @ (x.squeeze(1) @ self.columns)
        bottleneck: Tensor = self.linear(torch.cat([projected.flatten(1), self.fine(x).flatten(1)], dim=1))
        return bottleneck


class Decoder(nn.Module):
    """Bottleneck (n, units) -> reconstruction (n, 1, 128, 64)."""

    mean: Tensor

    def __init__(self, units: int) -> None:
        super().__init__()
        first, second, third = DECODING
        self.linear = nn.Linear(units, LINEAR + third * math.prod(SMALL))
        self.fine = nn.Sequential(
            nn.Unflatten(1, (third, *SMALL)),
            nn.LeakyReLU(),
            Block(third),
            nn.ConvTranspose2d(third, second, 4, stride=2, padding=1),  # (n, 64, 16, 8)
            nn.LeakyReLU(),
            nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),  # (n, 32, 32, 16)
            nn.LeakyReLU(),
            nn.ConvTranspose2d(first, 1, 4, stride=4),  # (n, 1, 128, 64)
        )
        self.columns = nn.Parameter(torch.randn(STEPS, COLUMNS) / STEPS**0.5)
        self.bands = nn.Parameter(torch.randn(BANDS, ROWS) / ROWS**0.5)
        self.register_buffer("mean", torch.zeros(1, BANDS, COLUMNS))

    def forward(self, bottleneck: Tensor) -> Tensor:
        """Return the reconstruction (n, 1, 128, 64) of bottlenecks (n, units)."""
        x = self.linear(bottleneck)
        projected = self.bands @ x[:, :LINEAR].unflatten(1, (ROWS, STEPS)) @ self.columns
        fine: Tensor = self.fine(x[:, LINEAR:])
        reconstruction: Tensor = (projected.unsqueeze(1) + fine) * SPREAD + self.mean
        return reconstruction


def light(units: int) -> Autoencoder:
    """The light autoencoder with a number of units in its bottleneck."""
    return Autoencoder(Encoder(units), Decoder(units))


@torch.no_grad()
def begin(network: nn.Module, spectrograms: Iterable[Tensor]) -> None:
    """Give a new network the principal components of training windows, in place.

    Args:
        network: as `light` makes it.
        spectrograms: some windows (n, 1, 128, 64) at a time; the axes are those of the first.
    """
    encoder = cast(Encoder, network.get_submodule("encoder"))
    decoder = cast(Decoder, network.get_submodule("decoder"))
    axes: tuple[Tensor, Tensor] | None = None
    count, total, image, squares = 0, torch.zeros(LINEAR), torch.zeros(1, BANDS, COLUMNS), torch.zeros(LINEAR, LINEAR)
    for part in spectrograms:
        if axes is None:
            encoder.mean.copy_(part.mean(dim=0))
        x = ((part - encoder.mean) / SPREAD).squeeze(1)
        if axes is None:
            rows = x.transpose(1, 2).flatten(0, 1), x.flatten(0, 1)
            axes = _largest(rows[0].T @ rows[0], ROWS), _largest(rows[1].T @ rows[1], STEPS)
        projected = (axes[0].T @ (x @ axes[1])).flatten(1)
        count += len(part)
        image += part.sum(dim=0)
        total += projected.sum(dim=0)
        squares.addmm_(projected.T, projected)
    if axes is None:
        raise ArgumentError("there are no training windows to begin with")
    code = _largest(squares - torch.outer(total, total) / count, encoder.linear.out_features)
    for module in (encoder, decoder):
        module.mean.copy_(image / count)
        module.linear.bias.zero_()
    encoder.bands.copy_(axes[0].T)
    encoder.columns.copy_(axes[1])
    encoder.linear.weight.zero_()[:, :LINEAR] = code.T
    decoder.linear.weight[:LINEAR] = code
    decoder.bands.copy_(axes[0])
    decoder.columns.copy_(axes[1].T)
    for parameter in decoder.fine[-1].parameters():
        parameter.zero_()


def _largest(squares: Tensor, count: int) -> Tensor:
    """The eigenvectors (size, count) of a symmetric matrix with the largest eigenvalues, the largest first."""
    directions: Tensor = torch.linalg.eigh(squares)[1]
    return directions.flip(1)[:, :count]


ARCHITECTURE = Architecture(
    summary="light autoencoder: principal components of both axes and small convolutions beside them, a linear code",
    network=light,
    units=(64, 128, 256),
    preprocessing=replace(DISVOICE, spectrogram=replace(DISVOICE.spectrogram, step=128, padding=320)),
    levels=("running", "utterance"),
    compiled=True,
    begin=begin,
    code_rows=("encoder.linear.weight", "encoder.linear.bias"),
    code_columns=("decoder.linear.weight",),
    code_bias="decoder.linear.bias",
)
