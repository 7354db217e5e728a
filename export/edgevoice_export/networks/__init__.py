"""The networks that can be trained and exported, one architecture a file.

A new one is a file with an `ARCHITECTURE`, and a line here.
"""

from __future__ import annotations

from edgevoice_export.networks import cae, lamprou, light, rae
from edgevoice_export.networks.architecture import Architecture

ARCHITECTURES: dict[str, Architecture] = {
    "cae": cae.ARCHITECTURE,
    "rae": rae.ARCHITECTURE,
    "light": light.ARCHITECTURE,
    "lamprou": lamprou.SOFTMAX,
    "lamprou-linear": lamprou.LINEAR,
}

__all__ = ["ARCHITECTURES", "Architecture"]
