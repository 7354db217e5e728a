"""Turns blocks from a device into frames with their time of capture, and accounts for all lost audio."""

from __future__ import annotations

import collections
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import MicrophoneLostError
from edgevoice.features import Frame
from edgevoice.microphone.capture import AudioBlock, Lost, Stopped
from edgevoice.microphone.recording import Recording
from edgevoice.microphone.summary import Event, Summary, Tally
from edgevoice.microphone.timeline import Losses, Timeline

if TYPE_CHECKING:
    from edgevoice.features import Features
    from edgevoice.stream import Stream

Tap = Callable[[NDArray[np.int16], float], object]
"""Called with the samples of a block, int16 (samples, channels), read-only, and the capture time of the last of them."""


@dataclass(frozen=True, eq=False, repr=False)
class LiveFrame(Frame):
    """A frame with the time at which its window was captured."""

    time: float
    """The wall-clock time at which the window's last sample was captured, in seconds since the epoch."""
    captured: float
    """`time.monotonic()` at which the window's last sample was captured, in seconds."""
    latency: float
    """Seconds from the capture of the window's last sample to the delivery of this frame."""

    @classmethod
    def of(cls, frame: Frame, time: float, captured: float, latency: float) -> Self:
        """Make a live frame from a frame of a stream and its times in seconds."""
        own = {item.name: getattr(frame, item.name) for item in fields(frame)}
        return cls(**own, time=time, captured=captured, latency=latency)

    def place(self) -> dict[str, Any]:
        """Everything except the descriptors, for JSON."""
        return {**super().place(), "time": self.time, "latency": self.latency}


class LiveStream:
    """Takes blocks from a device, and holds frames until they are delivered with their time and latency.

    The stream is a new one, at the device's rate; a recording gets the samples that it gets. After `seconds` of audio, lost
    audio included, it has ended.
    """

    def __init__(
        self,
        stream: Stream,
        device: str,
        channels: int,
        seconds: float | None,
        recording: Recording | None,
        tap: Tap | None = None,
    ) -> None:
        self._stream, self._device, self._channels, self._recording, self._tap = stream, device, channels, recording, tap
        self._limit = sys.maxsize if seconds is None else round(seconds * stream.rate)
        self._timeline, self._tally = Timeline(stream.rate), Tally()
        self._position = 0  # samples taken, lost ones included
        self._lost_windows = 0
        self._waiting: collections.deque[tuple[Frame, float]] = collections.deque()
        self.away: str | None = None
        """Why the device is lost, while it is to be opened again; None otherwise."""
        self.ended = False
        """Whether no more frames will be computed. Those that wait are still delivered, then what ended it is raised."""
        self._failure: Exception | None = None
        self.peak = 0.0
        """Largest magnitude of the last block, 0..1."""
        self._busy = 0.0  # since the last frame

    @property
    def can_deliver(self) -> bool:
        """Whether `deliver` has a frame or an end to report, without taking anything first."""
        return bool(self._waiting) or self.ended

    @property
    def exhausted(self) -> bool:
        """Whether no further frame will be delivered."""
        return self.ended and not self._waiting

    def take(self, item: AudioBlock | Lost | Stopped | None) -> None:
        """Process a block or an event from the device; None means that nothing came for a while. An error ends it."""
        try:
            if isinstance(item, AudioBlock):
                self.away = None
                self._add(item)
            elif isinstance(item, Stopped):
                self._finish()
            elif isinstance(item, Lost) and item.awaited:
                self.away = item.reason
            elif isinstance(item, Lost):
                self._finish(MicrophoneLostError(f"{self._device}: {item.reason}"))
            elif self.away is not None:
                self._fill_up()
        except BaseException as error:
            # A stream that was interrupted or has failed cannot be used any more.
            self.end(error if isinstance(error, Exception) else None)
            raise

    def end(self, failure: Exception | None = None) -> None:
        """Compute nothing more; close the recording."""
        self.ended, self.away = True, None
        self._failure = self._failure or failure
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()

    def deliver(self) -> LiveFrame | None:
        """The next frame; when there is none, None, or the error that ended it."""
        if not self._waiting and self._failure is not None:
            raise self._failure
        if not self._waiting:
            return None
        frame, captured = self._waiting.popleft()
        now = time.monotonic()
        captured = min(captured, now)
        latency = now - captured
        self._tally.add(now, Event(frames=1, latency=latency, gap_frames=int(frame.gap)))
        return LiveFrame.of(frame, time=time.time() - latency, captured=captured, latency=latency)

    def summary(self, recent: float | None = None) -> Summary:
        """Summarise what happened to the audio, in total or in the last seconds."""
        since = None if recent is None else time.monotonic() - recent
        return self._tally.summary(self._device, self._stream.rate, self._channels, len(self._waiting), since)

    def _add(self, block: AudioBlock) -> None:
        lost, samples = self._timeline.place(block), np.frombuffer(block.data, np.int16).reshape(-1, self._channels)
        if block.filled:
            lost, samples = lost + Losses(device=block.length), samples[:0]
        else:
            self.peak = max(int(samples.max()), -int(samples.min())) / 2**15
        self._compute(lost, samples)

    def _fill_up(self) -> None:
        """Count the rest of the requested audio as lost, once its time is over."""
        if self._timeline.running and self._timeline.captured(self._limit / self._stream.rate) <= time.monotonic():
            self._compute(Losses(reopening=self._limit - self._position), np.empty((0, self._channels), np.int16))

    def _finish(self, failure: Exception | None = None) -> None:
        """Compute what the resampler still held back, and end."""
        self._count(time.perf_counter(), [self._stream.finish()], Losses(), 0)
        self.end(failure)

    def _compute(self, losses: Losses, samples: NDArray[np.int16]) -> None:
        """Process lost samples and the samples after them, up to the end of the requested audio."""
        left = self._limit - self._position
        losses = losses.first(left)
        lost, stream = losses.total, self._stream
        samples = samples[: left - lost]
        self._position += lost + len(samples)
        started = time.perf_counter()
        blocks = [stream.skip(lost)] if lost else []
        blocks.append(stream.push(samples))
        self._count(started, blocks, losses, len(samples))
        if self._recording is not None:
            self._recording.skip(lost)
            self._recording.write(samples)
        if self._tap is not None and len(samples):
            self._tap(samples, self._timeline.captured(self._position / stream.rate))
        if self._position == self._limit:
            self._finish()

    def _count(self, started: float, blocks: list[Features], losses: Losses, samples: int) -> None:
        """Queue the frames of blocks whose computing began at `started`, by `time.perf_counter`, and count everything."""
        spent = time.perf_counter() - started
        self._busy += spent
        frames = [frame for features in blocks for frame in features]
        computing = 0.0
        if frames:
            computing, self._busy = self._busy / len(frames), 0.0
        self._waiting.extend((frame, self._timeline.captured(frame.end)) for frame in frames)
        lost_windows, self._lost_windows = self._stream.lost - self._lost_windows, self._stream.lost
        self._tally.add(time.monotonic(), Event(losses, samples, lost_windows, spent, len(frames), computing))
