"""Many live streams on one thread, their windows computed together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevoice.analysis import Analysis, describe
from edgevoice.features import Features, Layout
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Networks
from edgevoice.stream import Stream
from edgevoice.windows import Windows

MakeStream = Callable[[Analysis, int | None, int, str | float | None, float | None, int | None], Stream]


class StreamGroup:
    """Streams whose windows are computed together; their frames come from `collect`. Made by `Extractor.group`.

        group = extractor.group()
        streams = [group.stream(rate=8000) for _ in calls]
        ...
        for stream, chunk in arrived:
            stream.push(chunk)
        for stream, features in group.collect():
            ...

    `push`, `skip` and `finish` of its streams give no frames. Networks that run on several windows at once read their
    weights once for all: the more falls due between two calls of `collect`, the less a window costs. The frames have the
    bits that each stream would give alone. A group and its streams belong to one thread at a time; any number of groups
    may share an extractor.
    """

    def __init__(
        self, networks: Networks, spectrogram: FrontEnd, layout: Layout, batch: int, make_stream: MakeStream
    ) -> None:
        self._batch = _Batch(networks, spectrogram, layout, batch)
        self._make_stream = make_stream

    def stream(
        self,
        rate: int | None = None,
        channels: int = 1,
        *,
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | None = None,
    ) -> Stream:
        """A new stream of this group; arguments and errors as `Extractor.stream`."""
        waiting = _Waiting(self._batch)
        waiting.stream = self._make_stream(waiting, rate, channels, level, hop, channel)
        return waiting.stream

    def collect(self) -> list[tuple[Stream, Features]]:
        """The frames of all windows that were completed since the last call, stream by stream, in time order.

        Raises:
            DeviceError: computing them failed; the frames of all streams that waited are gone.
        """
        return self._batch.collect()


class _Batch:
    """Windows of several streams, in the order in which they were completed."""

    def __init__(self, networks: Networks, spectrogram: FrontEnd, layout: Layout, size: int) -> None:
        self._networks, self._spectrogram, self.layout = networks, spectrogram, layout
        self._scratch = spectrogram.scratch()
        self._images = np.empty((size, 1, *spectrogram.shape), np.float32)
        self._filled = 0  # images that wait
        self._values: list[NDArray[np.float32]] = []  # of the images before them
        self._due: list[_Due] = []  # the windows of both

    def take(self, stream: Stream | None, windows: Windows) -> None:
        """Compute the spectrograms of windows, and all that follows once enough wait."""
        self._due.append(_Due(stream, windows))
        first, count = 0, len(windows.number)
        while first < count:
            last = min(count, first + len(self._images) - self._filled)
            images = self._images[self._filled : self._filled + last - first, 0]
            offset, gain = windows.offset[first:last], windows.gain[first:last]
            self._spectrogram.compute(windows.samples[first:last], offset, gain, self._scratch, images)
            self._filled += last - first
            first = last
            if self._filled == len(self._images):
                self._compute()

    def forget(self, stream: Stream | None) -> None:
        """Drop the windows of a stream."""
        for due in self._due:
            if due.stream is stream:
                due.stream = None

    def collect(self) -> list[tuple[Stream, Features]]:
        """Compute what still waits; give everything out."""
        self._compute()
        if not self._due:
            return []
        values, first = np.concatenate(self._values), 0
        blocks: dict[Stream, list[Features]] = {}
        for due in self._due:
            _, number, start, _, _, silent, gap = due.windows
            last = first + len(number)
            if due.stream is not None:
                features = Features(values[first:last], number, start, silent, gap, self.layout)
                blocks.setdefault(due.stream, []).append(features)
            first = last
        self._values.clear()
        self._due.clear()
        return [(stream, Features.join(features, self.layout)) for stream, features in blocks.items()]

    def _compute(self) -> None:
        if not self._filled:
            return
        try:
            self._values.append(describe(self._networks, self.layout, self._images[: self._filled]))
        except BaseException:
            # Without these values the others would be taken for those of other windows.
            self._values.clear()
            self._due.clear()
            raise
        finally:
            self._filled = 0


@dataclass(slots=True)
class _Due:
    """Windows whose frames have not been given out."""

    stream: Stream | None
    """None where it was reset since."""
    windows: Windows
    """Their samples are overwritten by now."""


class _Waiting:
    """The analysis of one stream of a group: hands the windows on, and has nothing yet."""

    def __init__(self, batch: _Batch) -> None:
        self._batch = batch
        self.stream: Stream | None = None

    def run(self, windows: Windows) -> Features:
        """No features yet."""
        self._batch.take(self.stream, windows)
        return Features.join([], self._batch.layout)

    def finish(self) -> list[Features]:
        """No features yet: the last come with the next `collect`."""
        return []

    def reset(self) -> None:
        """Drop the windows that wait."""
        self._batch.forget(self.stream)
