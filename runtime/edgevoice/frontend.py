"""Computes the standardised spectrogram of a window's samples, in NumPy."""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevoice.config import AudioConfig, BandsConfig, SpectrogramConfig
from edgevoice.errors import ModelConfigError

Floats = NDArray[np.float64]

_CACHE = 3 << 16
"""Bytes of samples that are transformed together: with all intermediate results, they fit into a second-level cache."""


class FrontEnd:
    """Standardised spectrograms, float32 (n, bands, columns), of windows of samples.

    Zeros on both sides, a tapered FFT every `step` samples, power or magnitude, bands, natural logarithm above a floor,
    (x + offset) / divisor: every number is `model.json`'s. Up to the power of the FFT all is float64: the quietest bands
    lie 200 dB below the loudest, which a float32 FFT cannot hold. With the settings of `cae-256`, apart from the floor,
    the bands are those of librosa's `melspectrogram(y, sr=16000, n_fft=512, hop_length=64, n_mels=128)`.

    Threads may share it: each has its own buffers. A window has the same bits in any batch.
    """

    def __init__(self, config: SpectrogramConfig, audio: AudioConfig) -> None:
        self.config = config
        self._first, self._last = config.trim[0], audio.window - config.trim[1]
        self._samples = self._last - self._first + 2 * config.padding
        self._filled = (self._samples - config.fft) // config.step + 1
        self.window = audio.window
        self.shape = (config.bands.count, self._filled + config.blank)
        """(bands, columns): the shape of one spectrogram."""
        # Blocks of one size: the last begins early enough to be full, and computes some columns again.
        self._block = math.ceil(self._filled / math.ceil(self._filled * config.fft * 8 / _CACHE))
        starts = [*range(0, self._filled - self._block, self._block), self._filled - self._block]
        self._blocks = [slice(start, start + self._block) for start in starts]
        # Whole matrices, not rows to be broadcast: NumPy multiplies equal shapes without buffers, and a third faster.
        self._taper = np.tile(hann(config.fft), (self._block, 1)) if config.taper == "hann" else None
        filters = mel_filters(config.bands, audio.rate, config.fft) if config.bands.scale != "bins" else None
        self._bands = None if filters is None else _BandSums(filters, self._block)
        floor = config.logarithm.floor if config.logarithm else None
        self._floor = None if floor is None else np.full((config.bands.count, self._filled), floor, np.float32)
        self._offset, self._divisor = np.float32(config.offset), np.float32(config.divisor)
        self._local = threading.local()

    def compute(
        self,
        windows: NDArray[np.floating],
        offset: ArrayLike = 0.0,
        gain: ArrayLike = 1.0,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Compute spectrograms of windows.

        Args:
            windows: float32 or float64 (n, window).
            offset: subtracted from a window's samples, scalar or (n,).
            gain: multiplies them then, scalar or (n,).
            out: float32 (n, bands, columns) to write to; a new array where it is None.

        Returns:
            float32 (n, bands, columns), standardised.
        """
        count = len(windows)
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = _Scratch(self.config, self._samples, self._block, self._bands)
        out = np.empty((count, *self.shape), np.float32) if out is None else out
        offsets, gains = np.broadcast_to(offset, count).tolist(), np.broadcast_to(gain, count).tolist()
        for k in range(count):
            self._one(windows[k], offsets[k], gains[k], scratch, out[k])
        return out

    def _one(
        self, window: NDArray[np.floating], offset: float, gain: float, scratch: _Scratch, out: NDArray[np.float32]
    ) -> None:
        config = self.config
        inner = scratch.padded[config.padding : len(scratch.padded) - config.padding]
        np.copyto(inner, window[self._first : self._last])
        np.subtract(inner, offset, out=inner)
        np.multiply(inner, gain, out=inner)
        for columns in self._blocks:
            self._transform(scratch.segments[columns], scratch)
            if self._bands:
                self._bands.sum(scratch.power, scratch.weighted, scratch.bands[:, columns])
            else:
                np.copyto(scratch.bands[:, columns], scratch.power[: config.bands.count])
        filled = out[:, : self._filled]
        if self._bands:
            self._bands.sort(scratch.bands, filled)
        else:
            np.copyto(filled, scratch.bands)
        if self._floor is not None:
            np.maximum(filled, self._floor, out=filled)
            np.log(filled, out=filled)
        out[:, self._filled :] = 0
        np.add(out, self._offset, out=out)
        np.divide(out, self._divisor, out=out)

    def _transform(self, segments: Floats, scratch: _Scratch) -> None:
        """Write the spectrum of segments (block, fft) to `scratch.power`."""
        if self._taper is not None:
            np.copyto(scratch.tapered, segments)
            segments = np.multiply(scratch.tapered, self._taper, out=scratch.tapered)
        np.fft.rfft(segments, axis=-1, out=scratch.spectrum.T)
        parts = scratch.spectrum.view(np.float64)
        np.multiply(parts, parts, out=parts)
        np.add(parts[:, 0::2], parts[:, 1::2], out=scratch.exact)
        np.copyto(scratch.power, scratch.exact, casting="same_kind")
        if self.config.spectrum == "magnitude":
            np.sqrt(scratch.power, out=scratch.power)


class _Scratch:
    """Buffers that one thread reuses for all windows."""

    def __init__(self, config: SpectrogramConfig, samples: int, block: int, sums: _BandSums | None) -> None:
        bins = config.fft // 2 + 1
        self.padded = np.zeros(samples)  # the padding stays zero
        self.segments = np.lib.stride_tricks.sliding_window_view(self.padded, config.fft)[:: config.step]
        self.tapered = np.empty((block, config.fft))  # of the columns that are computed together
        # Each bin is a row, so that all later operations run along rows.
        self.spectrum = np.empty((bins, block), np.complex128)
        self.exact = np.empty((bins, block))  # the power before it is rounded to float32
        self.power = np.empty((bins, block), np.float32)
        self.weighted = np.empty((sums.weights if sums else 0, block), np.float32)
        self.bands = np.empty((config.bands.count, len(self.segments)), np.float32)


class _BandSums:
    """Sums of weighted bins, one per band, whose bits do not depend on which columns are computed together.

    A triangle covers few bins (1 to 12 of 257), so a matrix product would mostly multiply zeros, and BLAS picks its order
    of addition by the shape. Here the j-th bins of all bands are gathered together, the widest bands first, and added as
    whole rows: as many additions as the widest band has bins.
    """

    def __init__(self, filters: Floats, columns: int) -> None:
        """Prepare the sums for filters (bands, bins)."""
        counts = np.count_nonzero(filters, axis=1)
        if counts.min() == 0:
            raise ModelConfigError(
                f"spectrogram.bands.count: band {np.argmin(counts)} of {len(counts)} is narrower than a bin of the FFT"
            )
        widest_first = np.argsort(-counts, kind="stable")
        first = np.argmax(filters > 0, axis=1)
        members = [widest_first[counts[widest_first] > j] for j in range(int(counts.max()))]
        self._sizes = [len(bands) for bands in members]
        self._bins = np.concatenate([first[bands] + j for j, bands in enumerate(members)])
        weights = np.concatenate([filters[bands, first[bands] + j] for j, bands in enumerate(members)])
        self._weights = np.tile(weights[:, None].astype(np.float32), columns)
        self._place = np.argsort(widest_first)
        self.weights = len(self._bins)

    def sum(self, power: NDArray[np.float32], weighted: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
        """Add the power (bins, columns) of each band to sums (bands, columns), sorted by the width of the bands."""
        # mode="clip": with the default, NumPy buffers the output in case an index is out of range.
        np.take(power, self._bins, axis=0, out=weighted, mode="clip")
        np.multiply(weighted, self._weights, out=weighted)
        start = self._sizes[0]
        for size in self._sizes[1:]:
            np.add(weighted[:size], weighted[start : start + size], out=weighted[:size])
            start += size
        np.copyto(sums, weighted[: len(sums)])

    def sort(self, sums: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Sort the result of `sum` by bands."""
        np.take(sums, self._place, axis=0, out=out, mode="clip")


def hann(samples: int) -> Floats:
    """Periodic Hann window: 0.5 - 0.5 cos(2 pi n / samples)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)


def mel_filters(bands: BandsConfig, rate: int, fft: int) -> Floats:
    """Triangular filters of unit area over the bins of an FFT, float64 (bands, fft // 2 + 1).

    Corners are evenly spaced on the Mel scale of M. Slaney's Auditory Toolbox (Interval Research, 1998): linear below
    1 kHz at 200/3 Hz a Mel, above it 27 steps to a factor of 6.4. Each triangle is divided by half its width in hertz.
    """
    corners = mel_corners(bands)
    frequencies = np.arange(fft // 2 + 1) * rate / fft
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


def mel_corners(bands: BandsConfig) -> Floats:
    """Lower edge, centres and upper edge of the bands in hertz, evenly spaced on Slaney's Mel scale: (bands + 2,)."""
    return _mel_to_hertz(np.linspace(_hertz_to_mel(bands.low), _hertz_to_mel(bands.high), bands.count + 2))


def band_of(hertz: float, low: float, high: float, count: int) -> float:
    """The position of a frequency among `count` bands of Slaney's Mel scale between low (0) and high (count)."""
    bottom, top = _hertz_to_mel(low), _hertz_to_mel(high)
    return count * (_hertz_to_mel(hertz) - bottom) / (top - bottom)


_KNEE, _LINEAR, _STEP = 1000.0, 200 / 3, np.log(6.4) / 27


def _hertz_to_mel(hertz: float) -> float:
    if hertz < _KNEE:
        return hertz / _LINEAR
    return float(_KNEE / _LINEAR + np.log(hertz / _KNEE) / _STEP)


def _mel_to_hertz(mel: Floats) -> Floats:
    knee = _KNEE / _LINEAR
    return np.where(mel < knee, mel * _LINEAR, _KNEE * np.exp(_STEP * (mel - knee)))
