"""The convolutional autoencoder of V. Lamprou, "Feature Extraction with Convolutional Autoencoders" (2023).

Number 3 of the study's four, and its front end: magnitudes of 50 ms without overlap or taper, as pyAudioAnalysis up to
0.3.12 has them (`ShortTermFeatures.spectrogram`). That starts at the second 50 ms and leaves its last row empty, and the
network's shapes are those of the result, 74 x 200.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from edgevoice.config import AudioConfig, BandsConfig, LevelConfig, SpectrogramConfig
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.networks.architecture import Architecture, Autoencoder

DROPOUT = 0.2


def lamprou(units: int, code: nn.Module) -> Autoencoder:
    """The study's autoencoder, whose code is activated by `code`, with the initial weights of the study."""
    network = Autoencoder(encoder(units, code), decoder(units))
    network.apply(_initialise)
    return network


def encoder(units: int, code: nn.Module) -> nn.Sequential:
    """Spectrogram (n, 1, 200, 74) -> bottleneck (n, units)."""
    return nn.Sequential(
        Turn(),  # (n, 1, 74, 200): the study's networks are time first
        nn.Conv2d(1, 16, 2, stride=2),  # (n, 16, 37, 100)
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Conv2d(16, 32, 2, stride=2),  # (n, 32, 18, 50)
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Conv2d(32, 64, 3, stride=3),  # (n, 64, 6, 16)
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Conv2d(64, 128, 3, stride=3),  # (n, 128, 2, 5)
        nn.ReLU(),
        nn.Flatten(),  # (n, 1280)
        nn.Linear(1280, 256),
        nn.ReLU(),
        nn.Linear(256, units),
        code,
    )


def decoder(units: int) -> nn.Sequential:
    """Bottleneck (n, units) -> reconstruction (n, 1, 200, 74), no value below 0."""
    return nn.Sequential(
        nn.Linear(units, 256),
        nn.ReLU(),
        nn.Linear(256, 1280),
        nn.Unflatten(1, (128, 2, 5)),
        nn.ConvTranspose2d(128, 64, 3, stride=3, output_padding=(0, 1)),  # (n, 64, 6, 16)
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.ConvTranspose2d(64, 32, 3, stride=3, output_padding=(0, 2)),  # (n, 32, 18, 50)
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.ConvTranspose2d(32, 16, 2, stride=2, output_padding=(1, 0)),  # (n, 16, 37, 100)
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.ConvTranspose2d(16, 1, 2, stride=2),  # (n, 1, 74, 200)
        nn.ReLU(),
        Turn(),  # (n, 1, 200, 74)
    )


class Turn(nn.Module):
    """Swap bands and columns."""

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return (n, 1, b, a) of (n, 1, a, b)."""
        return spectrogram.transpose(2, 3)


@torch.no_grad()
def _initialise(module: nn.Module) -> None:
    """Glorot-uniform weights and zero biases, the initial values of the study."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


SOFTMAX = Architecture(
    summary="convolutional autoencoder of strided convolutions; its code is a softmax, so it sums to 1",
    network=partial(lamprou, code=nn.Softmax(dim=1)),
    units=(64, 128),
    preprocessing=Preprocessing(
        audio=AudioConfig(rate=8000, window=30_000, hop=30_000),
        level=LevelConfig(default="window", step=400, mean_rate=0.05, decay=0.9985, peak_floor=1e-3, peak_constant=1e-10),
        spectrogram=SpectrogramConfig(
            fft=400,
            step=400,
            taper="rectangular",
            padding=0,
            bands=BandsConfig(scale="bins", count=200, low=0.0, high=4000.0),
            spectrum="magnitude",
            logarithm=None,
            offset=0.0,
            divisor=200.0,
            trim=(400, 400),
            blank=1,
        ),
    ),
    levels=("window",),
    loss="bce",
)

LINEAR = replace(
    SOFTMAX,
    summary="convolutional autoencoder of strided convolutions, with a linear code",
    network=partial(lamprou, code=nn.Identity()),
    code_rows=("encoder.15.weight", "encoder.15.bias"),
    code_columns=("decoder.0.weight",),
    code_bias="decoder.0.bias",
)
