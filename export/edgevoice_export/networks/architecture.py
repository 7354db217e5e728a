"""What an architecture is: a network of an encoder and a decoder, and the preprocessing that it is made for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from edgevoice_export.data.preprocessing import Preprocessing


@dataclass(frozen=True)
class Architecture:
    """A network, and the preprocessing that it is made for.

    A network is built from the number of bottleneck units, has the parts `encoder` and `decoder`, and maps spectrograms
    (n, 1, bands, columns) to (reconstruction of the same shape, bottleneck (n, units)).
    """

    summary: str
    network: Callable[[int], nn.Module]
    units: tuple[int, ...]
    preprocessing: Preprocessing
    levels: tuple[str, ...]
    """Those at which training windows are drawn and validated."""
    loss: Literal["mse", "bce"] = "mse"
    """Training loss on standardised spectrograms; `bce` where nearly all is within 0..1; the rest counts as 0 or 1."""
    compiled: bool = False
    """Whether `torch.compile` makes its training on CUDA faster: it joins the small operations between convolutions."""
    begin: Callable[[nn.Module, Iterable[Tensor]], None] | None = None
    """Gives a new network its first weights from spectrograms of training windows, some (n, 1, bands, columns) at a time."""
    code_rows: tuple[str, ...] = ()
    """Weights with one row per number of the bottleneck, and then their bias."""
    code_columns: tuple[str, ...] = ()
    """Weights with one column per number of the bottleneck."""
    code_bias: str = ""
    """The bias that is added to the product with these columns."""


def replace_modules(network: nn.Module, kind: type[nn.Module], make: Callable[[Any], nn.Module]) -> nn.Module:
    """Replace every module of a kind, in place."""
    for name, child in network.named_children():
        if isinstance(child, kind):
            setattr(network, name, make(child))
        else:
            replace_modules(child, kind, make)
    return network


class Autoencoder(nn.Module):
    """Spectrogram (n, 1, bands, columns) -> reconstruction of the same shape, bottleneck (n, units)."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """Return (reconstruction, bottleneck)."""
        bottleneck = self.encoder(spectrogram)
        return self.decoder(bottleneck), bottleneck
