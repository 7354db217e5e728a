"""Changes of training windows as recordings have gone through them: a narrow band, lossy codecs, noise.

An autoencoder that has only seen full-band speech rebuilds speech into a band that a telephone has emptied, so that its
errors there describe the line and not the voice. This is the augmentation of denoising autoencoders (P. Vincent et al.,
"Extracting and composing robust features with denoising autoencoders", ICML 2008), but the network must rebuild the changed
window. A change costs 0.3 to 0.5 ms per window, as much as its spectrogram; MP3, which encodes and decodes, 8 ms.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.floating]

BLOCK = 576
"""Hop of the lapped transform, in samples: one granule of MPEG-1 Layer III."""
_TAPER = np.sin(np.pi * (np.arange(2 * BLOCK) + 0.5) / (2 * BLOCK))
EDGES = np.array([0, 4, 8, 12, 16, 20, 24, 30, 36, 44, 54, 66, 82, 102, 128, 156, 190, 230, 276, 330, 394, 464, 530])
"""First bins of the bands that share a quantiser: low bands are narrow, as in codecs."""


class Change(NamedTuple):
    """A change of one window."""

    kind: str
    """One of `CHANGES`."""
    seed: int
    """The seed of everything random in it."""


def changed(window: Samples, rate: int, peak: float, change: Change) -> Samples:
    """A window (samples,) as it would sound after a change.

    The noise is relative to the full scale of the level, `peak`, so that silence gets noise too.
    """
    return CHANGES[change.kind](window, rate, peak, np.random.default_rng(change.seed))


def band_limited(window: Samples, rate: int, random: np.random.Generator) -> Samples:
    """Remove frequencies above 1.5 to 7.5 kHz and, in half of the cases, below 50 to 500 Hz; amplify by up to 6 dB."""
    frequencies = np.fft.rfftfreq(2 * len(window), 1 / rate)
    high = np.exp(random.uniform(np.log(1500), np.log(7500)))
    order = random.integers(4, 13)
    response = 1 / np.sqrt(1 + (frequencies / high) ** (2 * order))
    # Most narrow lines also change the sampling rate, which removes everything some way above the edge.
    response[frequencies > high * random.uniform(1.05, 1.5)] = 0
    if random.random() < 0.5:
        low = np.exp(random.uniform(np.log(50), np.log(500)))
        steep = random.integers(1, 5)
        response *= 1 / np.sqrt(1 + (low / np.maximum(frequencies, 1.0)) ** (2 * steep))
    filtered = np.fft.irfft(np.fft.rfft(window, 2 * len(window)) * response)[: len(window)]
    return filtered * 10 ** (random.uniform(0, 6) / 20)


def coarsely_coded(window: Samples, random: np.random.Generator) -> Samples:
    """Quantise coarsely in a lapped transform: this adds noise near loud components, and removes quiet ones beside them."""
    blocks = -(-len(window) // BLOCK) + 1
    padded = np.zeros((blocks + 1) * BLOCK)
    padded[BLOCK : BLOCK + len(window)] = window
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * BLOCK)[::BLOCK] * _TAPER
    bins = np.fft.rfft(frames)
    power = np.square(bins.real) + np.square(bins.imag)
    size = np.sqrt(np.add.reduceat(power, EDGES, axis=1) / np.diff(EDGES, append=power.shape[1]))
    loudest = size.max(axis=1, keepdims=True)
    step = 10 ** (-random.uniform(-3, 17) / 20) * size**0.6 * loudest**0.4
    step = np.repeat(np.maximum(step, 1e-12), np.diff(EDGES, append=power.shape[1]), axis=1)
    bins = (np.round(bins.real / step) + 1j * np.round(bins.imag / step)) * step
    frames = np.fft.irfft(bins) * _TAPER
    out = np.zeros_like(padded)
    for half in (slice(0, BLOCK), slice(BLOCK, None)):
        first = half.start
        out[first : first + blocks * BLOCK] += frames[:, half].reshape(-1)
    return out[BLOCK : BLOCK + len(window)]


def mp3_coded(window: Samples, rate: int, random: np.random.Generator) -> Samples:
    """Encode and decode as MP3, at 16 kHz with about 16 to 64 kbit/s; possible at any rate of MP3 (8 to 48 kHz)."""
    thrift = random.uniform(0.63, 0.95)  # of libsndfile's scale: 0 most bits, 1 fewest
    options = {"format": "MP3", "compression_level": thrift, "bitrate_mode": "AVERAGE"}  # whose delay the decoder cuts off
    file = io.BytesIO()
    soundfile.write(file, np.clip(window, -1, 1), rate, **options)
    file.seek(0)
    decoded: Samples = soundfile.read(file, frames=len(window), fill_value=0.0)[0]
    return decoded


def noisy(window: Samples, peak: float, random: np.random.Generator) -> Samples:
    """Add white or falling noise, 25 to 55 dB below full scale."""
    noise = random.standard_normal(len(window))
    spectrum = np.fft.rfft(noise)
    spectrum /= (1 + np.arange(len(spectrum)) / len(spectrum) * 64) ** random.uniform(0, 1)
    noise = np.fft.irfft(spectrum, len(window))
    mixed: Samples = window + noise / noise.std() * peak * 10 ** (-random.uniform(25, 55) / 20)
    return mixed


CHANGES: dict[str, Callable[[Samples, int, float, np.random.Generator], Samples]] = {
    "band": lambda window, rate, _, random: band_limited(window, rate, random),
    "coarse": lambda window, _rate, _peak, random: coarsely_coded(window, random),
    "mp3": lambda window, rate, _, random: mp3_coded(window, rate, random),
    "noise": lambda window, _, peak, random: noisy(window, peak, random),
}
"""The changes by name."""
