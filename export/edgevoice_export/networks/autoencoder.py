"""An encoder and a decoder, put together."""

from __future__ import annotations

from torch import Tensor, nn


class Autoencoder(nn.Module):
    """Spectrogram (n, 1, bands, columns) -> reconstruction of the same shape, bottleneck (n, units)."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """Return (reconstruction, bottleneck)."""
        bottleneck = self.encoder(spectrogram)
        return self.decoder(bottleneck), bottleneck
