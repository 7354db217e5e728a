"""The convolutional autoencoder of DisVoice (Vasquez-Correa et al., RepLearning).

Its `state_dict` keys are those of DisVoice's published weights, so that they load as they are.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgevoice_export.data.preprocessing import DISVOICE
from edgevoice_export.networks.architecture import Architecture, Autoencoder

COLUMNS = 126


class Encoder(nn.Module):
    """Spectrogram (n, 1, 128, 126) -> bottleneck (n, units)."""

    def __init__(self, units: int) -> None:
        super().__init__()
        for number, (inputs, outputs) in enumerate(pairwise((1, 16, 32, 64, 128)), 1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        self.linear = nn.Linear(128 * 8 * 7, units)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return the bottleneck (n, units) of standardised spectrograms (n, 1, 128, 126)."""
        x = spectrogram
        for number in (1, 2, 3, 4):  # (n, 16, 64, 63), (n, 32, 32, 31), (n, 64, 16, 15), (n, 128, 8, 7)
            conv, norm = self.get_submodule(f"conv{number}"), self.get_submodule(f"bn{number}")
            x = functional.leaky_relu(norm(functional.max_pool2d(conv(x), 2)))
        bottleneck: Tensor = self.linear(x.flatten(1))
        return bottleneck


class Decoder(nn.Module):
    """Bottleneck (n, units) -> reconstruction (n, 1, 128, 126), each value between 0 and 1."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.linear = nn.Linear(units, 128 * 8 * 7)
        # (1, 0): 14 columns become 16, so that the last layer has 128 of them
        self.conv1 = nn.ConvTranspose2d(128, 64, 3, padding=(1, 0), bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.ConvTranspose2d(64, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3 = nn.ConvTranspose2d(32, 16, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(16)
        self.conv4 = nn.ConvTranspose2d(16, 1, 3, padding=1, bias=False)

    def forward(self, bottleneck: Tensor) -> Tensor:
        """Return the reconstruction (n, 1, 128, 126) of bottlenecks (n, units)."""
        x = self.linear(bottleneck).unflatten(1, (128, 8, 7))
        for conv, norm in (
            (self.conv1, self.bn1),  # (n, 64, 16, 16)
            (self.conv2, self.bn2),  # (n, 32, 32, 32)
            (self.conv3, self.bn3),  # (n, 16, 64, 64)
        ):
            x = functional.leaky_relu(norm(self._upsampled(x, conv)))
        x = torch.sigmoid(self._upsampled(x, self.conv4))
        return x[..., :COLUMNS]

    def _upsampled(self, x: Tensor, conv: nn.ConvTranspose2d) -> Tensor:
        """Upsample by 2, then convolve; in training by a way with 2.25 times fewer multiplications."""
        if self.training:
            return convolve_upsampled(x, conv.weight, tuple(map(int, conv.padding)))
        convolved: Tensor = conv(functional.interpolate(x, scale_factor=2.0))
        return convolved


def convolve_upsampled(x: Tensor, kernel: Tensor, padding: tuple[int, ...]) -> Tensor:
    """Compute `conv_transpose2d(interpolate(x, scale_factor=2.0), kernel, padding=padding)` with 4 taps instead of 9.

    Two of three neighbours in the doubled image are the same pixel of the small one, so their taps add up. Each pixel of a
    2x2 block has its own sums; the four are computed as channels, then interleaved.

    From x (n, inputs, rows, columns), a kernel (inputs, outputs, 3, 3) of stride 1 and paddings of rows and columns, 0 or 1
    each, comes (n, outputs, 2 rows + 2 - 2 padding, 2 columns + 2 - 2 padding).
    """
    taps = _folded(kernel.flip(2, 3).transpose(0, 1))  # (outputs, inputs, 3, blocks, 2)
    taps = _folded(taps.movedim(2, -1))  # (outputs, inputs, column in block, 2, row in block, 2)
    blocks = taps.permute(0, 4, 2, 1, 5, 3).flatten(0, 2)
    image = functional.pixel_shuffle(functional.conv2d(x, blocks, padding=1), 2)
    rows, columns = padding
    return image[:, :, rows : image.shape[2] - rows, columns : image.shape[3] - columns]


def _folded(taps: Tensor) -> Tensor:
    """Three taps on the last axis as (place in the block, 2 taps); the block is shifted by one pixel against the image."""
    first, second, third = taps.unbind(-1)
    odd, even = torch.stack([first + second, third], -1), torch.stack([first, second + third], -1)
    return torch.stack([odd, even], -2)


def cae(units: int) -> Autoencoder:
    """The convolutional autoencoder with a number of units in its bottleneck."""
    return Autoencoder(Encoder(units), Decoder(units))


ARCHITECTURE = Architecture(
    summary="convolutional autoencoder: four 3x3 convolutions with max-pooling, a linear code, and their mirror",
    network=cae,
    units=(64, 128, 256, 512, 1024),
    preprocessing=DISVOICE,
    levels=("running", "utterance"),
    compiled=True,
    code_rows=("encoder.linear.weight", "encoder.linear.bias"),
    code_columns=("decoder.linear.weight",),
    code_bias="decoder.linear.bias",
)
