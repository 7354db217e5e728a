"""From a device's blocks to frames, with everything that was lost accounted for."""

from __future__ import annotations

import collections
import enum
import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import MicrophoneLostError
from edgevoice.microphone.capture import Block, Lost, Stopped
from edgevoice.microphone.liveframe import LiveFrame
from edgevoice.microphone.recording import Recording
from edgevoice.microphone.summary import Histogram, Summary
from edgevoice.microphone.timeline import Losses, Timeline

if TYPE_CHECKING:
    from edgevoice.features import Features, Frame
    from edgevoice.stream import Stream


class State(enum.Enum):
    """What is to be expected of a live stream."""

    OPEN = enum.auto()
    """The device delivers."""
    AWAY = enum.auto()
    """The device is lost, and waited for."""
    ENDED = enum.auto()
    """No further frame will be computed. Those that are waiting are still delivered, then what ended it is raised."""


class LiveStream:
    """Takes what comes from a device; has frames waiting, each to be delivered with its time and latency.

    Args:
        stream: a new one, at the device's rate.
        device: its name.
        channels: of the blocks.
        seconds: of audio after which it has ended, lost audio included; None: never.
        recording: where the samples go that the stream gets, or None.
    """

    def __init__(
        self, stream: Stream, device: str, channels: int, seconds: float | None, recording: Recording | None
    ) -> None:
        self._stream, self._device, self._channels, self._recording = stream, device, channels, recording
        self._limit = None if seconds is None else round(seconds * stream.rate)
        self._timeline, self._losses = Timeline(stream.rate), Losses()
        self._waiting: collections.deque[tuple[Frame, float]] = collections.deque()
        self.state = State.OPEN
        self._reason = ""
        self._failure: Exception | None = None
        self.peak = 0.0
        """Largest magnitude of the last block, 0..1."""
        self._frames = self._gap_frames = 0
        self._busy = self._busy_before = 0.0
        self._latency, self._computing = Histogram(), Histogram()

    @property
    def settled(self) -> bool:
        """Whether `deliver` has its answer, and nothing needs to be taken before it."""
        return bool(self._waiting) or self.state is State.ENDED

    @property
    def exhausted(self) -> bool:
        """Whether no further frame will be delivered."""
        return not self._waiting and self.state is State.ENDED

    @property
    def away(self) -> str | None:
        """Why the device is lost, while it is waited for."""
        return self._reason if self.state is State.AWAY else None

    def take(self, item: Block | Lost | Stopped | None) -> None:
        """Go on by what the device gave, or None when it gave nothing for a while.

        Raises:
            DeviceError, OutputError: computing or recording failed; it has ended.
        """
        try:
            if isinstance(item, Block):
                self.state = State.OPEN
                self._hear(item)
            elif isinstance(item, Stopped):
                self._finish()
            elif isinstance(item, Lost) and item.awaited:
                self.state, self._reason = State.AWAY, item.reason
            elif isinstance(item, Lost):
                self._finish(MicrophoneLostError(f"{self._device}: {item.reason}"))
            elif self.state is State.AWAY:
                self._fill_up()
        except BaseException as error:
            # Interrupted or failed half-way, the stream is of no further use.
            self.end(error if isinstance(error, Exception) else None)
            raise

    def end(self, failure: Exception | None = None) -> None:
        """Compute nothing more; close the recording.

        Raises:
            OutputError: the recording cannot be finished.
        """
        self.state = State.ENDED
        self._failure = self._failure or failure
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()

    def deliver(self) -> LiveFrame | None:
        """The next frame, None when there is none.

        Raises:
            EdgeVoiceError: there is none because of what ended it.
        """
        if not self._waiting:
            if self._failure is not None:
                raise self._failure
            return None
        frame, captured = self._waiting.popleft()
        now = time.monotonic()
        captured = min(captured, now)
        latency = now - captured
        self._latency.add(latency)
        self._frames += 1
        self._gap_frames += frame.gap
        return LiveFrame.of(frame, time=time.time() - latency, captured=captured, latency=latency)

    def summary(self) -> Summary:
        """What became of the audio so far."""
        rate, losses, position = self._stream.rate, self._losses, self._stream.position
        return Summary(
            device=self._device,
            rate=rate,
            channels=self._channels,
            seconds=position / rate,
            frames=self._frames,
            waiting=len(self._waiting),
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

    def _hear(self, block: Block) -> None:
        lost, samples = self._timeline.place(block), block.samples(self._channels)
        if block.filled:
            lost, samples = lost + Losses(device=block.length), samples[:0]
        else:
            self.peak = max(int(samples.max()), -int(samples.min())) / 2**15
        self._compute(lost, samples)

    def _fill_up(self) -> None:
        """Take all that is left of the audio asked for as lost, once it is over by the clock."""
        if self._limit is None or not self._timeline.running:
            return
        if self._timeline.captured(self._limit / self._stream.rate) <= time.monotonic():
            self._compute(Losses(reopening=self._limit - self._stream.position), np.empty((0, self._channels), np.int16))

    def _finish(self, failure: Exception | None = None) -> None:
        """Compute what the resampler still held back, and end."""
        started = time.perf_counter()
        self._keep([self._stream.finish()], started)
        self.end(failure)

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
            self._finish()

    def _keep(self, blocks: list[Features], started: float) -> None:
        """Let frames wait for delivery, and account for the computing time since `started`."""
        self._busy += time.perf_counter() - started
        count = sum(map(len, blocks))
        if count:
            each = (self._busy - self._busy_before) / count
            self._busy_before = self._busy
            for frame in (frame for features in blocks for frame in features):
                self._computing.add(each)
                self._waiting.append((frame, self._timeline.captured(frame.end)))
