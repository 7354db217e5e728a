"""From a device's blocks to frames, with everything that was lost accounted for."""

from __future__ import annotations

import collections
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgevoice.microphone.capture import Block
from edgevoice.microphone.recording import Recording
from edgevoice.microphone.summary import Histogram, Summary
from edgevoice.microphone.timeline import Losses, Timeline

if TYPE_CHECKING:
    from edgevoice.features import Features, Frame
    from edgevoice.stream import Stream


class LiveStream:
    """Takes blocks; has frames waiting, each to be delivered with its time and latency.

    Args:
        stream: a new one, at the device's rate.
        channels: of the blocks.
        seconds: of audio after which it is finished, lost audio included; None: never.
        recording: where the samples go that the stream gets, or None.
    """

    def __init__(self, stream: Stream, channels: int, seconds: float | None, recording: Recording | None) -> None:
        self._stream, self._channels, self._recording = stream, channels, recording
        self._limit = None if seconds is None else round(seconds * stream.rate)
        self._timeline, self._losses = Timeline(stream.rate), Losses()
        self._waiting: collections.deque[tuple[Frame, float]] = collections.deque()
        self.finished = False
        """Whether no further frame will be computed."""
        self.peak = 0.0
        """Largest magnitude of the last block, 0..1."""
        self._frames = self._gap_frames = 0
        self._busy = self._busy_before = 0.0
        self._latency, self._computing = Histogram(), Histogram()

    @property
    def waiting(self) -> int:
        """Frames computed and not delivered yet."""
        return len(self._waiting)

    @property
    def overdue(self) -> bool:
        """Whether, by the clock, the audio should have come to its end."""
        if self._limit is None or not self._timeline.running:
            return False
        return self._timeline.captured(self._limit / self._stream.rate) <= time.monotonic()

    def take(self, block: Block) -> None:
        """Compute what the next block completes."""
        lost, samples = self._timeline.place(block), block.samples(self._channels)
        if not block.filled:
            self.peak = max(int(samples.max()), -int(samples.min())) / 2**15
            self._compute(lost, samples)
            return
        self._compute(lost, samples[:0])
        if not self.finished:
            self._compute(Losses(device=block.length), samples[:0])

    def fill_up(self) -> None:
        """Take everything up to the end of the audio asked for as lost."""
        if self._limit is not None:
            self._compute(Losses(reopening=self._limit - self._stream.position), np.empty((0, self._channels), np.int16))

    def finish(self) -> None:
        """Compute what the resampler still held back; close the recording."""
        if not self.finished:
            started = time.perf_counter()
            self._keep([self._stream.finish()], started)
            self.close()

    def close(self) -> None:
        """Close the recording; compute nothing more."""
        self.finished = True
        if self._recording is not None:
            self._recording.close()
            self._recording = None

    def deliver(self) -> Frame | None:
        """The next frame, if one is waiting."""
        if not self._waiting:
            return None
        frame, captured = self._waiting.popleft()
        latency = max(0.0, time.monotonic() - captured)
        self._latency.add(latency)
        self._frames += 1
        self._gap_frames += frame.gap
        return replace(frame, time=time.time() - latency, latency=latency)

    def summary(self, device: str) -> Summary:
        """What became of the audio so far."""
        rate, losses, position = self._stream.rate, self._losses, self._stream.position
        return Summary(
            device=device,
            rate=rate,
            channels=self._channels,
            seconds=position / rate,
            frames=self._frames,
            waiting=self.waiting,
            gap_frames=self._gap_frames,
            lost_windows=self._stream.lost,
            lost_queue=losses.queue / rate,
            lost_device=losses.device / rate,
            lost_clock=losses.clock / rate,
            lost_reopening=losses.reopening / rate,
            latency=self._latency.percentiles(),
            computing=self._computing.percentiles(),
            load=self._busy * rate / position if position else 0.0,
        )

    def _compute(self, losses: Losses, samples: NDArray[np.int16]) -> None:
        """Take what was lost, and the samples after it; of both only what lies before the end of the audio asked for."""
        if self._limit is not None:
            left = self._limit - self._stream.position
            losses = losses.first(left)
            samples = samples[: left - losses.total]
        self._losses += losses
        lost = losses.total
        started = time.perf_counter()
        self._keep([self._stream.skip(lost), self._stream.push(samples)] if lost else [self._stream.push(samples)], started)
        if self._recording is not None:
            self._recording.skip(lost)
            self._recording.write(samples)
        if self._stream.position == self._limit:
            self.finish()

    def _keep(self, blocks: list[Features], started: float) -> None:
        """Let frames wait for delivery, and account for the computing time since `started`."""
        self._busy += time.perf_counter() - started
        count = sum(map(len, blocks))
        if count:
            each = (self._busy - self._busy_before) / count
            self._busy_before = self._busy
            for frame in (frame for features in blocks for frame in features):
                self._computing.add(each)
                self._waiting.append((frame, self._timeline.captured(frame.seconds)))
