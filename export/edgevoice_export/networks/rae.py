"""The recurrent autoencoder of DisVoice (Vasquez-Correa et al., RepLearning).

Its `state_dict` keys are those of DisVoice's published weights, so that they load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgevoice_export.data.preprocessing import DISVOICE
from edgevoice_export.networks.architecture import Architecture, Autoencoder

BANDS = 128
COLUMNS = 126


class Encoder(nn.Module):
    """Spectrogram (n, 1, 128, 126) -> bottleneck (n, units)."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.lstm1 = nn.LSTM(BANDS, 64, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(256, units)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return the bottleneck (n, units) of standardised spectrograms (n, 1, 128, 126)."""
        columns = spectrogram.squeeze(1).transpose(1, 2)  # (n, 126, 128)
        outputs, (final, _) = self.lstm1(columns)  # (n, 126, 128), (2, n, 64)
        summary = torch.cat([outputs[:, -1], final[0], final[1]], dim=1)  # (n, 256)
        return functional.leaky_relu(self.linear(summary))


class Decoder(nn.Module):
    """Bottleneck (n, units) -> reconstruction (n, 1, 128, 126), each value between -1 and 1."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(units, BANDS, num_layers=2, batch_first=True)

    def forward(self, bottleneck: Tensor) -> Tensor:
        """Return the reconstruction (n, 1, 128, 126) of bottlenecks (n, units)."""
        columns, _ = self.lstm(bottleneck.unsqueeze(1).expand(-1, COLUMNS, -1))  # (n, 126, 128)
        reconstruction: Tensor = columns.transpose(1, 2).unsqueeze(1)
        return reconstruction


def rae(units: int) -> Autoencoder:
    """The recurrent autoencoder with a number of units in its bottleneck."""
    return Autoencoder(Encoder(units), Decoder(units))


ARCHITECTURE = Architecture(
    summary="recurrent autoencoder: a bidirectional LSTM, a code of leaky units, two LSTM layers",
    network=rae,
    units=(64, 128, 256, 512, 1024),
    preprocessing=DISVOICE,
    levels=("running", "utterance"),
    code_rows=("encoder.linear.weight", "encoder.linear.bias"),
    code_columns=("decoder.lstm.weight_ih_l0",),
    code_bias="decoder.lstm.bias_ih_l0",
)
