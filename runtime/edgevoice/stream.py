"""One audio source going through an extractor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.analysis import Analysis
from edgevoice.audio.resampling import Resampler
from edgevoice.audio.samples import check_channel, check_rate, check_samples, mix
from edgevoice.errors import ArgumentError, StreamError
from edgevoice.features import Features, Layout
from edgevoice.wholenumbers import whole_number
from edgevoice.windows import Windower

_SLICE = 1 << 16
"""Samples of a push taken at a time, so that a large one does not need its size again for every stage."""


class Stream:
    """Audio in, in chunks of any length; frames out, as soon as their window is complete. Made by `Extractor.stream`.

    Holds all state of its source; belongs to one thread at a time. The frames' bits do not depend on the chunks.
    """

    def __init__(
        self,
        windower: Windower,
        analysis: Analysis,
        layout: Layout,
        rate: int,
        channels: int = 1,
        channel: int | None = None,
    ) -> None:
        self.rate = check_rate(rate)
        """Sampling rate of the source, in hertz."""
        self._channels = whole_number("channels", channels, 1)
        self._channel = check_channel(channel, self._channels)
        self._resampler = Resampler(self.rate, layout.rate)
        self._windower, self._analysis, self._layout = windower, analysis, layout
        self._taken = 0
        self._over: str | None = None  # after what nothing more is taken

    @property
    def lost(self) -> int:
        """Windows that lay wholly in lost samples: counted, not computed."""
        return self._windower.lost

    @property
    def position(self) -> int:
        """Samples of the source taken so far, lost ones included, at the source's rate."""
        return self._taken

    @property
    def delay(self) -> float:
        """Seconds of audio that wait in the resampler for what comes after."""
        return self._resampler.delay

    def push(self, samples: NDArray[Any]) -> Features:
        """Take the next samples; return the frames whose windows they complete, often none.

        Args:
            samples: (samples,) or (samples, channels), any length and strides: int16, int32, uint8, float32 or float64.
                They are not changed.

        Raises:
            SamplesError: wrong dtype or shape, NaN or infinity; the stream stays as it was.
            DeviceError: computing failed; the stream has lost its place, and takes nothing more until `reset`.
            StreamError: after `finish` or a failure.
        """
        self._check_open("push")
        checked = check_samples(samples, self._channels)
        blocks = []
        with self._in_place():
            for at in range(0, len(checked), _SLICE):
                block = checked[at : at + _SLICE]
                self._taken += len(block)
                resampled = self._resampler.push(mix(block, self._channel))
                blocks += [self._analysis.run(windows) for windows in self._windower.push(resampled)]
        return Features.join(blocks, self._layout)

    def skip(self, count: int) -> Features:
        """Tell that `count` samples of the source were lost; return the frames of windows that reach into them.

        Lost samples count in positions and stand as zeros; windows that touch them have `gap` set.

        Raises:
            ArgumentError: a negative count.
            DeviceError, StreamError: as `push`.
        """
        self._check_open("skip")
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
            raise ArgumentError(f"skip of {count!r}: expected a whole number of samples, 0 or more")
        if count == 0:
            return Features.join([], self._layout)
        windower, resampler = self._windower, self._resampler
        first = math.floor(resampler.position(self._taken))
        self._taken += int(count)
        windower.mark_lost(first, math.ceil(resampler.position(self._taken)))
        blocks = []
        with self._in_place():
            skipped = resampler.skip(int(count))
            for completed in (windower.push(skipped.before), windower.jump(skipped.zeros), windower.push(skipped.after)):
                blocks += [self._analysis.run(windows) for windows in completed]
        return Features.join(blocks, self._layout)

    def finish(self) -> Features:
        """End the source; return the frames that the resampler still held back. A tail shorter than a hop is not used.

        Raises:
            DeviceError: computing failed.
            StreamError: when called twice, or after a failure.
        """
        self._check_open("finish")
        self._over = "finish"
        blocks = [self._analysis.run(windows) for windows in self._windower.push(self._resampler.finish())]
        blocks += self._analysis.finish()
        return Features.join(blocks, self._layout)

    def reset(self) -> None:
        """Forget all audio: the stream is as new."""
        self._resampler.reset()
        self._windower.reset()
        self._analysis.reset()
        self._taken = 0
        self._over = None

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Samples that were taken but not computed cannot be given back: whatever fails here ends the stream."""
        try:
            yield
        except BaseException:
            self._over = "a failure"
            raise

    def _check_open(self, verb: str) -> None:
        if self._over:
            raise StreamError(f"{verb} after {self._over}: the stream has ended; reset() begins a new one")
