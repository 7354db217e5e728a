"""The changes of `changes` in PyTorch, for many windows at once, on the device of the windows.

Each change is a class of its random values, with a row a window: `draw` draws them with PyTorch's generator of the device,
and `apply` computes, from windows float32 (n, samples) without their offset and what their level takes for full scale, (n,).
For the same values, the results equal those of NumPy's functions up to the rounding of float32, which a test checks.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from edgevoice_export.data.changes import BLOCK, EDGES


class Band(NamedTuple):
    """`changes.band_limited`."""

    high: Tensor
    """Upper edge in hertz, (n, 1), as all fields of this class."""
    order: Tensor
    cut: Tensor
    """Above this multiple of the upper edge, everything is removed."""
    low: Tensor
    """Lower edge in hertz; 0 where there is none."""
    steep: Tensor
    louder: Tensor
    """Gain in dB."""

    @classmethod
    def draw(cls, count: int, samples: int, device: torch.device) -> Band:  # noqa: ARG003
        """Draw the values."""
        low = _logarithmic(count, 50, 500, device) * (torch.rand(count, 1, device=device) < 0.5)
        return cls(
            high=_logarithmic(count, 1500, 7500, device),
            order=4 + torch.floor(_uniform(count, 0, 9, device)),
            cut=_uniform(count, 1.05, 1.5, device),
            low=low,
            steep=1 + torch.floor(_uniform(count, 0, 4, device)),
            louder=_uniform(count, 0, 6, device),
        )

    def apply(self, windows: Tensor, rate: int, peak: Tensor) -> Tensor:  # noqa: ARG002
        """Filter in the frequency domain; zeros after the window keep its end and its start apart."""
        samples = windows.shape[1]
        frequencies = torch.fft.rfftfreq(2 * samples, 1 / rate, device=windows.device)[None]
        response = torch.rsqrt(1 + (frequencies / self.high) ** (2 * self.order))
        response = torch.where(frequencies > self.high * self.cut, 0.0, response)
        high_pass = torch.rsqrt(1 + (self.low / frequencies.clamp(min=1.0)) ** (2 * self.steep))
        # In float64: the rounding of float32 would be audible in an empty band.
        spectrum = torch.fft.rfft(windows.double(), 2 * samples) * (response * high_pass)
        changed: Tensor = torch.fft.irfft(spectrum)[:, :samples].float() * 10 ** (self.louder / 20)
        return changed


class Coarse(NamedTuple):
    """`changes.coarsely_coded`."""

    fineness: Tensor
    """How far the step of the quantiser is below the level of the band, in dB, (n, 1)."""

    @classmethod
    def draw(cls, count: int, samples: int, device: torch.device) -> Coarse:  # noqa: ARG003
        """Draw the values."""
        return cls(_uniform(count, -3, 17, device))

    def apply(self, windows: Tensor, rate: int, peak: Tensor) -> Tensor:  # noqa: ARG002
        """Quantise in a lapped transform."""
        device, (count, samples) = windows.device, windows.shape
        taper = torch.sin(math.pi * (torch.arange(2 * BLOCK, device=device) + 0.5) / (2 * BLOCK))
        sums = _band_sums(device)
        blocks = -(-samples // BLOCK) + 1
        padded = functional.pad(windows, (BLOCK, blocks * BLOCK - samples))
        bins = torch.fft.rfft(padded.unfold(1, 2 * BLOCK, BLOCK) * taper)
        power = bins.real.square() + bins.imag.square()
        size = ((power @ sums) / sums.sum(0)).sqrt()
        step = 10 ** (-self.fineness[:, None] / 20) * size**0.6 * size.amax(2, keepdim=True) ** 0.4
        step = step.clamp(min=1e-12) @ sums.T
        rounded = torch.complex(torch.round(bins.real / step) * step, torch.round(bins.imag / step) * step)
        frames = torch.fft.irfft(rounded) * taper
        first, second = (half.reshape(count, -1) for half in (frames[..., :BLOCK], frames[..., BLOCK:]))
        return (functional.pad(first, (0, BLOCK)) + functional.pad(second, (BLOCK, 0)))[:, BLOCK : BLOCK + samples]


class Noise(NamedTuple):
    """`changes.noisy`."""

    white: Tensor
    """Normally distributed numbers, (n, samples)."""
    slope: Tensor
    """0 for white noise, 1 for falling noise, (n, 1)."""
    below: Tensor
    """How far the noise is below full scale, in dB, (n, 1)."""

    @classmethod
    def draw(cls, count: int, samples: int, device: torch.device) -> Noise:
        """Draw the values."""
        white = torch.randn(count, samples, device=device)
        return cls(white, _uniform(count, 0, 1, device), _uniform(count, 25, 55, device))

    def apply(self, windows: Tensor, rate: int, peak: Tensor) -> Tensor:  # noqa: ARG002
        """Add noise with the drawn spectrum."""
        spectrum = torch.fft.rfft(self.white)
        places = torch.arange(spectrum.shape[1], device=windows.device) / spectrum.shape[1]
        noise = torch.fft.irfft(spectrum / (1 + places * 64) ** self.slope, windows.shape[1])
        noise = noise / noise.std(1, correction=0, keepdim=True)
        changed: Tensor = windows + noise * peak[:, None] * 10 ** (-self.below / 20)
        return changed


DeviceChange = Band | Coarse | Noise
DEVICE_CHANGES: dict[str, type[Band] | type[Coarse] | type[Noise]] = {"band": Band, "coarse": Coarse, "noise": Noise}
"""All changes except `mp3`: no encoder runs on a device, so recordings are encoded once before training."""


@lru_cache
def _band_sums(device: torch.device) -> Tensor:
    """A matrix (bins, bands) that sums bins into the bands of the quantiser."""
    bins = torch.arange(BLOCK + 1, device=device)[:, None]
    edges = torch.tensor([*EDGES.tolist(), BLOCK + 1], device=device)
    return ((bins >= edges[:-1]) & (bins < edges[1:])).float()


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return low + (high - low) * torch.rand(count, 1, device=device)


def _logarithmic(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.exp(_uniform(count, math.log(low), math.log(high), device))
