"""Turns blocks from a device into frames, and accounts for all lost audio."""

from __future__ import annotations

import collections
import enum
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import MicrophoneLostError, StreamError
from edgevoice.microphone.capture import Block, Lost, Stopped
from edgevoice.microphone.liveframe import LiveFrame
from edgevoice.microphone.recording import Recording
from edgevoice.microphone.summary import Event, Summary, Tally
from edgevoice.microphone.timeline import Losses, Timeline

if TYPE_CHECKING:
    from edgevoice.features import Features, Frame
    from edgevoice.stream import Stream


Tap = Callable[[NDArray[np.int16], float], object]
"""Called with the samples of a block, int16 (samples, channels), read-only, and the capture time of the last of them."""


class State(enum.Enum):
    """The state of a live stream."""

    OPEN = enum.auto()
    """The device delivers."""
    AWAY = enum.auto()
    """The device is lost, and the watchdog tries to open it again."""
    ENDED = enum.auto()
    """No more frames will be computed. Frames that wait are still delivered; then the error that ended it, if any, is
    raised.
    """


class LiveStream:
    """Takes blocks from a device, and holds frames until they are delivered with their time and latency.

    Args:
        stream: a new one, at the device's rate.
        device: its name.
        channels: of the blocks.
        seconds: of audio after which it has ended, lost audio included; None: never.
        recording: where the samples go that the stream gets, or None.
        tap: called with the samples of each block and the moment when the last of them was captured, or None.
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
        self._limit = None if seconds is None else round(seconds * stream.rate)
        self._timeline, self._tally = Timeline(stream.rate), Tally()
        self._position = 0  # samples taken, lost ones included
        self._lost_windows = 0  # of the present stream
        self._moved = 0  # samples at the model's rate before the present stream
        self._first_index = self._next_index = 0
        self._waiting: collections.deque[tuple[Frame, float]] = collections.deque()
        self.state = State.OPEN
        self._reason = ""
        self._failure: Exception | None = None
        self.peak = 0.0
        """Largest magnitude of the last block, 0..1."""
        self._busy = 0.0  # since the last frame

    @property
    def settled(self) -> bool:
        """Whether `deliver` can answer now, so that nothing has to be taken first."""
        return bool(self._waiting) or self.state is State.ENDED

    @property
    def exhausted(self) -> bool:
        """Whether no further frame will be delivered."""
        return not self._waiting and self.state is State.ENDED

    @property
    def away(self) -> str | None:
        """Why the device is lost, while it is to be opened again; None otherwise."""
        return self._reason if self.state is State.AWAY else None

    def take(self, item: Block | Lost | Stopped | None) -> None:
        """Process a block or an event from the device; None means that nothing came for a while.

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
            # A stream that was interrupted or has failed cannot be used any more.
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
        self._tally.add(now, Event(latency=latency, gap=frame.gap))
        return LiveFrame.of(frame, time=time.time() - latency, captured=captured, latency=latency)

    def use(self, stream: Stream) -> None:
        """Continue with a stream of another model that has the same rate: the next sample is its first one.

        Raises:
            StreamError: it has ended.
            DeviceError: computing what the old stream still held failed; it has ended.
        """
        if self.state is State.ENDED:
            raise StreamError("the microphone has ended: no other model can go on from it")
        try:
            self._advance([self._stream.finish], Losses(), 0)
        except BaseException as error:
            self.end(error if isinstance(error, Exception) else None)
            raise
        self._moved = round(self._position * stream.model_rate / stream.rate)
        self._first_index = self._next_index
        self._stream, self._lost_windows = stream, 0

    def summary(self, recent: float | None = None) -> Summary:
        """Summarise what happened to the audio, in total or in the last seconds."""
        counts = self._tally.counts(None if recent is None else time.monotonic() - recent)
        return counts.summary(self._device, self._stream.rate, self._channels, len(self._waiting))

    def _hear(self, block: Block) -> None:
        lost, samples = self._timeline.place(block), block.samples(self._channels)
        if block.filled:
            lost, samples = lost + Losses(device=block.length), samples[:0]
        else:
            self.peak = max(int(samples.max()), -int(samples.min())) / 2**15
        self._compute(lost, samples)

    def _fill_up(self) -> None:
        """Count the rest of the requested audio as lost, once its time is over."""
        if self._limit is None or not self._timeline.running:
            return
        if self._timeline.captured(self._limit / self._stream.rate) <= time.monotonic():
            self._compute(Losses(reopening=self._limit - self._position), np.empty((0, self._channels), np.int16))

    def _finish(self, failure: Exception | None = None) -> None:
        """Compute what the resampler still held back, and end."""
        self._advance([self._stream.finish], Losses(), 0)
        self.end(failure)

    def _compute(self, losses: Losses, samples: NDArray[np.int16]) -> None:
        """Process lost samples and the samples after them, up to the end of the requested audio."""
        if self._limit is not None:
            left = self._limit - self._position
            losses = losses.first(left)
            samples = samples[: left - losses.total]
        lost, stream = losses.total, self._stream
        self._position += lost + len(samples)
        self._advance([*([lambda: stream.skip(lost)] if lost else []), lambda: stream.push(samples)], losses, len(samples))
        if self._recording is not None:
            self._recording.skip(lost)
            self._recording.write(samples)
        if self._tap is not None and len(samples):
            self._tap(samples, self._timeline.captured(self._position / stream.rate))
        if self._position == self._limit:
            self._finish()

    def _advance(self, steps: list[Callable[[], Features]], losses: Losses, count: int) -> None:
        """Execute steps of the stream, queue the frames, and count everything."""
        started = time.perf_counter()
        blocks = [step() for step in steps]
        spent = time.perf_counter() - started
        self._busy += spent
        frames = [frame for features in blocks for frame in self._placed(features)]
        computing: list[float] = []
        if frames:
            computing, self._busy = [self._busy / len(frames)] * len(frames), 0.0
        self._waiting.extend((frame, self._timeline.captured(frame.end)) for frame in frames)
        lost_windows, self._lost_windows = self._stream.lost - self._lost_windows, self._stream.lost
        self._tally.add(time.monotonic(), Event(losses, count, lost_windows, spent, computing))

    def _placed(self, features: Features) -> Features:
        """Features with positions since the microphone was opened, not since its model was changed."""
        if len(features):
            self._next_index = int(features.index[-1]) + self._first_index + 1
        if not self._moved:
            return features
        facts = features.facts.copy()
        facts["index"] += self._first_index
        facts["position"] += self._moved
        return replace(features, facts=facts)
