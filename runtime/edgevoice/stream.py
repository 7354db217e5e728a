"""A stream: one audio source that passes through an extractor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.samples import MOST_CHANNELS, Resampler, check_channel, check_rate, check_samples, mix
from edgevoice.batcher import Batcher
from edgevoice.errors import SamplesError, StreamError
from edgevoice.features import Features
from edgevoice.wholenumbers import whole_number
from edgevoice.windows import Windower, Windows

LONGEST = 1 << 52
"""The largest position in samples: 185 years at 768 kHz. Every number up to here has its own float64."""

_SLICE = 1 << 16
"""How many samples of a push are processed at a time, so that the memory for a large push stays small."""


class Stream:
    """Takes audio in chunks of any length, and returns frames as soon as their windows are complete.

    Holds all state of its source; belongs to one thread at a time. The frames' bits do not depend on the chunks.
    """

    def __init__(
        self,
        windower: Windower,
        batcher: Batcher,
        rate: int,
        channels: int = 1,
        channel: int | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """Make a stream; users call `Extractor.stream`. Its frames are taken from the batcher where that is shared."""
        self.rate = check_rate(rate)
        """Sampling rate of the source, in hertz."""
        self.batcher = batcher
        """What computes its windows."""
        self._channels = whole_number("channels", channels, 1, MOST_CHANNELS)
        self._channel = check_channel(channel, self._channels)
        self._resampler = Resampler(self.rate, batcher.pipeline.layout.rate)
        self._windower, self._shared = windower, shared
        self._taken = 0
        self._over = ""  # the reason why nothing more is accepted
        self.failure: BaseException | None = None
        """What ended the stream before its time."""

    @property
    def lost(self) -> int:
        """The number of windows that consist of lost samples only. They are counted, but not computed."""
        return self._windower.lost

    @property
    def frames(self) -> int:
        """The number of frames that its audio gives so far, those that still wait to be computed included."""
        return self._windower.windows

    @property
    def position(self) -> int:
        """The number of samples taken so far, including lost ones, at the rate of the source."""
        return self._taken

    @property
    def due(self) -> int:
        """The smallest position of the source at which the next frame can come."""
        return self._resampler.origin(self._windower.due)

    def push(self, samples: NDArray[Any]) -> Features:
        """Take the next samples; return the frames of all windows that they complete, often none.

        Args:
            samples: (samples,) or (samples, channels), any length and strides: int16, int32, uint8, float32 or float64.
                They are not changed.

        Raises:
            SamplesError: wrong dtype or shape, NaN or infinity; the stream stays as it was.
            DeviceError: computing failed; the stream takes nothing more until `reset`.
            StreamError: after `finish` or a failure.
        """
        self._check_open("push")
        with self._in_place():
            checked = check_samples(samples, self._channels)
            for at in range(0, len(checked), _SLICE):
                block = checked[at : at + _SLICE]
                self._taken += len(block)
                self._windower.push(self._resampler.push(mix(block, self._channel)), self._put)
            return self._computed()

    def skip(self, count: int) -> Features:
        """Report that `count` samples of the source were lost; return the frames of windows that contain some of them.

        Positions count lost samples, and zeros replace them; windows that contain some of them have `gap` set. Where the
        source is resampled, what follows a gap of more than two seconds may depend in its last bits on how many calls
        report it. Raises an ArgumentError for a negative count, and otherwise as `push`.
        """
        self._check_open("skip")
        count = whole_number("skip", count, 0, LONGEST - self._taken, "samples")
        if count == 0:
            return self.batcher.pipeline.nothing
        windower, position = self._windower, self._resampler.position
        with self._in_place():
            windower.mark_lost(math.floor(position(self._taken)), math.ceil(position(self._taken + count)))
            self._taken += count
            before, zeros, after = self._resampler.skip(count)
            windower.push(before, self._put)
            windower.jump(zeros, self._put)
            windower.push(after, self._put)
            return self._computed()

    def finish(self, *, pad: bool = False) -> Features:
        """End the source; return the frames of the samples that the resampler still held back.

        Args:
            pad: whether a source shorter than one window is filled up with zeros.

        Raises:
            DeviceError, StreamError: as `push`.
        """
        self._check_open("finish")
        windower = self._windower
        with self._in_place():
            self._over = "finish"
            windower.push(self._resampler.finish(), self._put)
            if pad and 0 < windower.position < windower.window:
                windower.push(np.zeros(windower.window - windower.position, np.float32), self._put)
            return self._computed()

    def reset(self) -> None:
        """Discard all audio: the stream is like a new one."""
        self.batcher.drop(self)
        self._resampler.reset()
        self._windower.reset()
        self._taken, self._over, self.failure = 0, "", None

    def fail(self, error: BaseException) -> None:
        """End the stream, as windows of it were lost. Its batcher calls this."""
        self._over, self.failure = "a failure", error

    def _put(self, windows: Windows) -> None:
        self.batcher.put(self, windows)

    def _computed(self) -> Features:
        """The features of all complete windows; none where others share the batcher, from which they are taken."""
        if self._shared:
            return self.batcher.pipeline.nothing
        self.batcher.flush()
        return Features.join([features for _, features in self.batcher.take()], self.batcher.pipeline.layout)

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """End the stream at any failure but of checking samples: those that were taken cannot be returned."""
        try:
            # What the host program asks of NumPy's warnings is not for the harmless underflows in here.
            with np.errstate(all="ignore"):
                yield
        except SamplesError:
            raise
        except BaseException as error:
            self.fail(error)
            raise

    def _check_open(self, verb: str) -> None:
        if self._over:
            raise StreamError(f"{verb} after {self._over}: the stream has ended; reset() begins a new one")
