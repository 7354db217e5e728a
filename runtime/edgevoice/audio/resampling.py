"""Resampling from the rate of the source to that of the model."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.samples import mix
from edgevoice.audio.source import AudioSource


class Resampler:
    """Streaming resampler, soxr's high quality; samples pass unchanged where the two rates are equal.

    The output has the same bits however the input is cut into chunks. soxr holds back about 21 ms until `finish`.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        common = math.gcd(source_rate, target_rate)
        self._source_period, self._target_period = source_rate // common, target_rate // common
        self._second, self._soxr = source_rate, None
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
        result: NDArray[np.float32] = self._soxr.resample_chunk(np.ascontiguousarray(samples), last=last)
        return result

    def finish(self) -> NDArray[np.float32]:
        """Return the samples that were held back."""
        return self.push(np.empty(0, np.float32), last=True)

    def skip(self, count: int) -> tuple[NDArray[np.float32], int, NDArray[np.float32]]:
        """Resample `count` zeros: samples, then how many zeros are only counted, then samples.

        One second of zeros empties the filter; from there on the output repeats itself with the period of the two
        rates, so whole periods need not be computed.
        """
        nothing = np.empty(0, np.float32)
        if self._soxr is None:
            return nothing, count, nothing
        periods = max(0, count - 2 * self._second) // self._source_period
        if not periods:
            return nothing, 0, self.push(np.zeros(count, np.float32))
        before = self.push(np.zeros(self._second, np.float32))
        count -= self._second + periods * self._source_period
        return before, periods * self._target_period, self.push(np.zeros(count, np.float32))

    def position(self, samples: int) -> float:
        """The position in the output that corresponds to a position in the source, in samples."""
        return samples * self._target_period / self._source_period

    def origin(self, samples: int) -> int:
        """The number of source samples that the output needs, at least, to have this many samples."""
        return samples * self._source_period // self._target_period


def resampled(source: AudioSource, rate: int, channel: int | None) -> Iterator[NDArray[np.float32]]:
    """Resample one channel of a source, or the mean of all channels, block by block: float32 (samples,)."""
    resampler = Resampler(source.rate, rate)
    for block in source.blocks():
        yield resampler.push(mix(block, channel))
    yield resampler.finish()
