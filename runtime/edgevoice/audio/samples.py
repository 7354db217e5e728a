"""Arrays of samples: what callers may pass, the mean of channels, resampling."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, SamplesError
from edgevoice.wholenumbers import whole_number

LARGEST = 2.0**16
"""Largest magnitude of a sample. Full scale is 1; the limit leaves room for floats that hold unscaled 16-bit values."""
MOST_CHANNELS = 1024
_SETTLING = 1 << 12  # samples of the source after which, at any rate, nothing of those before is left in the resampler
_LIKELY = 64
"""More channels than this are accepted only where there are at least as many samples: else the axes were exchanged."""

_SCALES = {"i2": 2.0**-15, "i4": 2.0**-31, "u1": 2.0**-7, "f4": 1.0, "f8": 1.0}


def check_samples(samples: object, channels: int | None = None) -> NDArray[np.float32]:
    """Convert samples to float32 with full scale 1; the shape stays, and the input is not changed.

    Args:
        samples: (samples,) or (samples, channels), of any strides: int16, int32, uint8 with 128 as zero, float32, float64; a
            NumPy array, or what NumPy can make one of, as a tensor on the CPU.
        channels: the required number of channels; None allows any.

    Raises:
        SamplesError: another dtype or shape, NaN, infinity, or a magnitude above 65 536.
    """
    array = check_layout(samples, channels)
    if array.dtype.kind == "f":
        # One reduction finds all three: NaN compares false, and so does what is too large.
        if array.size and not np.max(np.abs(array)) <= LARGEST:
            if not np.isfinite(array).all():
                raise SamplesError("samples hold NaN or infinity")
            raise SamplesError(f"samples reach {np.max(np.abs(array)):.3g}, expected a full scale of 1 (at most 65536)")
        return array.astype(np.float32, copy=False)
    zero = np.float32(128 if array.dtype.kind == "u" else 0)
    return (array.astype(np.float32) - zero) * np.float32(_SCALES[array.dtype.str[1:]])


def check_layout(samples: object, channels: int | None = None) -> NDArray[Any]:
    """The array that `check_samples` would convert, if its dtype and shape are right; of whole numbers that is all."""
    samples = as_array(samples)
    count = samples.shape[1] if samples.ndim == 2 else 1
    if channels is None:
        fits = 1 <= count <= MOST_CHANNELS and not _LIKELY < count > len(samples) > 0
        wanted, lies_across = "(samples,) or (samples, channels), up to 1024 channels", count > 1
    else:
        fits, lies_across = count == channels, samples.ndim == 2 and len(samples) == channels
        wanted = f"{channels} channel(s): (samples, {channels})"
    if samples.ndim not in (1, 2) or not fits:
        hint = "; transpose?" if lies_across else ""
        raise SamplesError(f"samples have the shape {samples.shape}, expected {wanted}{hint}")
    if samples.dtype.str[1:] not in _SCALES:
        raise SamplesError(f"samples are {samples.dtype}, expected float32, float64, int16, int32 or uint8")
    return samples


def is_masked(array: object) -> bool:
    """Whether an array hides some of its values. NumPy's module for such arrays is imported for subclasses only."""
    return isinstance(array, np.ndarray) and type(array) is not np.ndarray and bool(np.ma.is_masked(array))


def as_array(samples: object) -> NDArray[Any]:
    """The NumPy array that something is or that NumPy can make of it, without masks; a SamplesError where there is none."""
    if type(samples) is np.ndarray:
        return samples
    if is_masked(samples):
        raise SamplesError("samples are masked in places: fill them, or leave them out and report them with skip()")
    if not hasattr(samples, "__array__") or isinstance(samples, type):
        raise SamplesError(f"samples are {type(samples).__name__}, expected a NumPy array or a tensor on the CPU")
    try:
        return np.asarray(samples)
    except Exception as error:  # whatever a library raises for a tensor on another device, or one with gradients
        raise SamplesError(f"samples are {type(samples).__name__}, of which NumPy can make no array ({error})") from error


def mix(samples: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    """Reduce (samples,) or (samples, channels) to one channel: the mean of all, or the chosen one, counted from 0.

    Channels are added one after the other, so that the bits depend on neither strides nor length.
    """
    if samples.ndim == 1:
        return samples
    if channel is not None:
        return samples[:, channel]
    if samples.shape[1] == 1:
        return samples[:, 0]
    total = samples[:, 0].astype(np.float64)
    for k in range(1, samples.shape[1]):
        total += samples[:, k]
    total /= samples.shape[1]
    return total.astype(np.float32)


def as_float(value: object) -> float:
    """Convert a real number, Python's or NumPy's; NaN, which is in no range, for anything else: booleans, durations."""
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool | np.timedelta64):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check_channel(channel: int | str | None, channels: int | None) -> int | None:
    """Raise ArgumentError unless there is such a channel, as far as `channels`, how many there are, is known."""
    if channel is None:
        return None
    number = whole_number("channel", channel, 0)
    if channels is not None and number >= channels:
        raise ArgumentError(f"channel {channel}: the audio has {channels} channel(s), counted from 0")
    return number


def check_rate(rate: int) -> int:
    """Raise ArgumentError unless this is a sampling rate that can be resampled, a whole number of hertz."""
    return whole_number("rate", rate, 100, 768_000, "hertz")


class Resampler:
    """Streaming resampler, soxr's high quality; samples pass unchanged where the two rates are equal.

    The output has the same bits however the input is cut into chunks. soxr holds back about 21 ms until `finish`.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        common = math.gcd(source_rate, target_rate)
        self._source_period, self._target_period = source_rate // common, target_rate // common
        self._settling, self._soxr = max(source_rate, _SETTLING), None
        if source_rate != target_rate:
            import soxr

            self._soxr = soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality="HQ")

    def reset(self) -> None:
        """Forget all samples."""
        if self._soxr is not None:
            self._soxr.clear()

    def push(self, samples: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """Resample the next samples, float32 (samples,)."""
        if self._soxr is None:
            return samples
        return cast("NDArray[np.float32]", self._soxr.resample_chunk(np.ascontiguousarray(samples), last=last))

    def finish(self) -> NDArray[np.float32]:
        """Return the samples that were held back."""
        return self.push(np.empty(0, np.float32), last=True)

    def skip(self, count: int) -> tuple[NDArray[np.float32], int, NDArray[np.float32]]:
        """Resample `count` zeros: samples, then how many zeros are only counted, then samples.

        A second of zeros, or 4096 of them, empties the filter; from there on the output repeats itself, but for its last
        bits, with the period of the two rates, so whole periods need not be computed.
        """
        nothing = np.empty(0, np.float32)
        if self._soxr is None:
            return nothing, count, nothing
        periods = max(0, count - 2 * self._settling) // self._source_period
        if not periods:
            return nothing, 0, self.push(np.zeros(count, np.float32))
        before = self.push(np.zeros(self._settling, np.float32))
        count -= self._settling + periods * self._source_period
        return before, periods * self._target_period, self.push(np.zeros(count, np.float32))

    def position(self, samples: int) -> float:
        """The position in the output that corresponds to a position in the source, in samples."""
        return samples * self._target_period / self._source_period

    def origin(self, samples: int) -> int:
        """The number of source samples that the output needs, at least, to have this many samples."""
        return samples * self._source_period // self._target_period
