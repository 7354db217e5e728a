"""Streams: one audio source that passes through an extractor; and groups of streams whose windows are computed together."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.analysis import Analysis, Pipeline
from edgevoice.audio.resampling import Resampler
from edgevoice.audio.samples import MOST_CHANNELS, check_channel, check_rate, check_samples, mix
from edgevoice.errors import ArgumentError, StreamError
from edgevoice.features import Features, Layout
from edgevoice.wholenumbers import whole_number
from edgevoice.windows import Windower, Windows

_SLICE = 1 << 16
"""How many samples of a push are processed at a time, so that the memory for a large push stays small."""


class Stream:
    """Takes audio in chunks of any length, and returns frames as soon as their windows are complete.

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
        self._channels = whole_number("channels", channels, 1, MOST_CHANNELS)
        self._channel = check_channel(channel, self._channels)
        self._resampler = Resampler(self.rate, layout.rate)
        self._windower, self._analysis, self._layout = windower, analysis, layout
        self._taken = 0
        self._over: str | None = None  # the reason why nothing more is accepted
        self.generation = 0
        """How often the stream was reset."""

    @property
    def model_rate(self) -> int:
        """Sampling rate in which the positions of frames count, in hertz."""
        return self._layout.rate

    @property
    def lost(self) -> int:
        """The number of windows that consist of lost samples only. They are counted, but not computed."""
        return self._windower.lost

    @property
    def position(self) -> int:
        """The number of samples taken so far, including lost ones, at the rate of the source."""
        return self._taken

    @property
    def due(self) -> int:
        """The smallest position of the source at which the next frame can come."""
        return self._resampler.origin(self._windower.due)

    @property
    def delay(self) -> float:
        """The length of the audio that waits in the resampler, in seconds."""
        return self._resampler.delay

    def push(self, samples: NDArray[Any]) -> Features:
        """Take the next samples; return the frames of all windows that they complete, often none.

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
                blocks += self._windower.push(resampled, self._analysis.run)
        return Features.join(blocks, self._layout)

    def skip(self, count: int) -> Features:
        """Report that `count` samples of the source were lost; return the frames of windows that contain some of them.

        Positions count lost samples, and zeros replace them; windows that contain some of them have `gap` set.

        Raises:
            ArgumentError: a negative count.
            DeviceError, StreamError: as `push`.
        """
        self._check_open("skip")
        count = whole_number("skip", count, 0, unit="samples")
        if count == 0:
            return Features.join([], self._layout)
        windower, run = self._windower, self._analysis.run
        first = math.floor(self._resampler.position(self._taken))
        self._taken += count
        windower.mark_lost(first, math.ceil(self._resampler.position(self._taken)))
        with self._in_place():
            before, zeros, after = self._resampler.skip(count)
            blocks = windower.push(before, run) + windower.jump(zeros, run) + windower.push(after, run)
        return Features.join(blocks, self._layout)

    def finish(self, *, pad: bool = False) -> Features:
        """End the source; return the frames of the samples that the resampler still held back.

        Args:
            pad: whether a source shorter than one window is filled up with zeros.

        Raises:
            DeviceError: computing failed.
            StreamError: when called twice, or after a failure.
        """
        self._check_open("finish")
        self._over = "finish"
        windower, run = self._windower, self._analysis.run
        blocks = windower.push(self._resampler.finish(), run)
        if pad and 0 < windower.position < windower.window:
            blocks += windower.push(np.zeros(windower.window - windower.position, np.float32), run)
        return Features.join([*blocks, self._analysis.finish()], self._layout)

    def join(self, group: StreamGroup) -> None:
        """Let a group compute the windows from now on. Windows that wait in the old group come from its `collect`.

        Args:
            group: another one of the extractor that made the stream.

        Raises:
            ArgumentError: the stream is in no group, or the group is of another extractor.
        """
        if not isinstance(self._analysis, GroupAnalysis) or self._analysis.pipeline is not group.pipeline:
            raise ArgumentError("group: expected a group of the same extractor, for a stream that is already in a group")
        member = group.member()
        member.belong_to(self)
        self._analysis = member

    def reset(self) -> None:
        """Discard all audio: the stream is like a new one."""
        self._resampler.reset()
        self._windower.reset()
        self._analysis.reset()
        self._taken = 0
        self._over = None
        self.generation += 1

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Samples that were taken cannot be returned, so any failure here ends the stream."""
        try:
            yield
        except BaseException:
            self._over = "a failure"
            raise

    def _check_open(self, verb: str) -> None:
        if self._over:
            raise StreamError(f"{verb} after {self._over}: the stream has ended; reset() begins a new one")


class StreamGroup:
    """Streams whose windows are computed together; their frames are returned by `collect`. Made by `Extractor.group`.

        group = extractor.group()
        streams = [extractor.stream(rate=8000, group=group) for _ in calls]
        ...
        for stream, chunk in arrived:
            stream.push(chunk)
        for stream, features in group.collect():
            ...

    `push`, `skip` and `finish` of its streams give no frames. Networks that run on several windows at once read their
    weights once for all: the more falls due between two calls of `collect`, the less a window costs. The frames have the
    bits that each stream would give alone. A `push` can compute the windows of other streams too: a DeviceError there, as
    in `collect`, loses the frames that wait, of all streams of the group. A group and its streams belong to one thread at a
    time; any number of groups may share an extractor.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        """The computation, shared with the extractor."""
        self._workspace = pipeline.workspace()
        self._filled = 0  # windows in it that wait
        self._values: list[NDArray[np.float32]] = []  # of the windows computed before
        self._due: list[_Due] = []  # the windows of both
        self._busy = threading.Lock()

    def collect(self) -> list[tuple[Stream, Features]]:
        """Return the frames of all windows that were completed since the last call, stream by stream, in time order.

        Raises:
            DeviceError: computing them failed; the frames of all streams that waited are gone.
            StreamError: another thread uses the group at this moment.
        """
        with self._alone():
            self._compute()
            if not self._due:
                return []
            values, first = np.concatenate(self._values), 0
            blocks: dict[Stream, list[Features]] = {}
            for due in self._due:
                last = first + len(due.windows.index)
                if due.wanted:
                    features = self.pipeline.features(values[first:last], due.windows)
                    blocks.setdefault(due.stream, []).append(features)
                first = last
            self._values.clear()
            self._due.clear()
        return [(stream, Features.join(features, self.pipeline.layout)) for stream, features in blocks.items()]

    def member(self) -> GroupAnalysis:
        """Make the analysis of one more stream."""
        return GroupAnalysis(self)

    def take(self, stream: Stream, windows: Windows) -> None:
        """Compute the spectrograms of a stream's windows, and everything else once enough windows wait."""
        with self._alone():
            self._due.append(_Due(stream, stream.generation, replace(windows, samples=windows.samples[:0])))
            first, count = 0, len(windows.index)
            while first < count:
                last = min(count, first + self._workspace.size - self._filled)
                part = slice(first, last)
                self._workspace.put(self._filled, windows.samples[part], windows.offset[part], windows.gain[part])
                self._filled += last - first
                first = last
                if self._filled == self._workspace.size:
                    self._compute()

    def _compute(self) -> None:
        if not self._filled:
            return
        try:
            self._values.append(self._workspace.descriptors(self._filled))
        except BaseException:
            # Without these values, the other values would be assigned to the wrong windows.
            self._values.clear()
            self._due.clear()
            raise
        finally:
            self._filled = 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Raise an error where two threads use a group at the same time, because frames would be mixed up."""
        if not self._busy.acquire(blocking=False):
            raise StreamError("a group and its streams belong to one thread at a time, and two use this one at once")
        try:
            yield
        finally:
            self._busy.release()


class GroupAnalysis:
    """The analysis of a stream in a group: it passes windows on, and has no features itself."""

    def __init__(self, group: StreamGroup) -> None:
        self._group = group
        self._stream: Callable[[], Stream | None] = _nobody  # weak: the stream holds its analysis, not the other way round

    @property
    def pipeline(self) -> Pipeline:
        """The computation that the group uses."""
        return self._group.pipeline

    def belong_to(self, stream: Stream) -> None:
        """Set the stream to which the windows belong."""
        self._stream = weakref.ref(stream)

    def run(self, windows: Windows) -> Features:
        """Return no features: `collect` returns them."""
        stream = self._stream()
        if stream is not None:
            self._group.take(stream, windows)
        return self.finish()

    def finish(self) -> Features:
        """Return no features."""
        return self._group.pipeline.nothing()

    def reset(self) -> None:
        """Do nothing: groups drop the windows of an earlier generation."""


def _nobody() -> None:
    return None


@dataclass(slots=True)
class _Due:
    """Windows whose frames were not returned yet."""

    stream: Stream
    generation: int
    """That of the stream when it completed the windows."""
    windows: Windows
    """The windows without their samples."""

    @property
    def wanted(self) -> bool:
        """Whether the stream was not reset since."""
        return self.stream.generation == self.generation
