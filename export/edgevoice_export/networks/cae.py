"""The convolutional autoencoder of DisVoice (Vasquez-Correa et al., RepLearning).

Its `state_dict` keys are those of DisVoice's published weights, so that they load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgevoice_export.networks.architecture import Architecture
from edgevoice_export.networks.autoencoder import Autoencoder
from edgevoice_export.networks.presets import DISVOICE
from edgevoice_export.networks.upsampling import convolve_upsampled

COLUMNS = 126


class Encoder(nn.Module):
    """Spectrogram (n, 1, 128, 126) -> bottleneck (n, units)."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(64)
        self.conv4 = nn.Conv2d(64, 128, 3, padding=1, bias=False)
        self.bn4 = nn.BatchNorm2d(128)
        self.linear = nn.Linear(128 * 8 * 7, units)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return the bottleneck (n, units) of standardised spectrograms (n, 1, 128, 126)."""
        x = spectrogram
        for conv, norm in (
            (self.conv1, self.bn1),  # (n, 16, 64, 63)
            (self.conv2, self.bn2),  # (n, 32, 32, 31)
            (self.conv3, self.bn3),  # (n, 64, 16, 15)
            (self.conv4, self.bn4),  # (n, 128, 8, 7)
        ):
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
