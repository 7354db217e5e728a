"""Live frames from a microphone."""

from __future__ import annotations

import collections
import math
import os
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.samples import as_float, check_channel, check_rate
from edgevoice.errors import ArgumentError, MicrophoneLostError
from edgevoice.extractor import check_extractor
from edgevoice.features import Features, Frame
from edgevoice.microphone.capture import AudioBlock, Capture
from edgevoice.microphone.devices import TICK
from edgevoice.microphone.recording import Recording, check_recording
from edgevoice.microphone.summary import KEPT, Event, Summary, Tally
from edgevoice.microphone.timeline import Losses, Timeline
from edgevoice.wholenumbers import whole_number

if TYPE_CHECKING:
    from edgevoice.extractor import Extractor
    from edgevoice.microphone.devices import InputDevice

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

    def place(self) -> dict[str, Any]:
        """Everything except the descriptors, for JSON."""
        return {**super().place(), "time": self.time, "latency": self.latency}


class Microphone(Iterator[LiveFrame], AsyncIterator[LiveFrame], AbstractContextManager["Microphone"]):
    """Frames from an input device, from the moment it is made until it is closed: an iterator and a context manager.

    Audio is captured in the background; frames are computed in the thread that reads them, one thread at a time.

    Lost audio never shifts later audio: it counts in positions, and zeros replace it. Frames of windows that contain some of
    it have `gap` set; windows that consist of it are counted, not computed. It is lost when the consumer is slower than
    `backlog` allows (the oldest first; this alone is known exactly), when PortAudio reports an overflow, while the device is
    unplugged, and when samples fall behind the clock: what has been over 100 ms late for 1 s counts as lost.

    Latency is the time from the capture of a window's last sample to the delivery of its frame, by `time.monotonic()`, known
    to about 1 ms. Delays before PortAudio (5 to 50 ms) are included where PortAudio reports the age of samples, which
    PulseAudio and PipeWire do not let it do.

    Args:
        extractor: a loaded model. It is warmed up before the device is opened.
        device: index or part of the name of an input device; None for the default. See `input_devices`.
        rate: sampling rate of the device, in hertz; None: the model's where the device takes it, else the device's own.
        level: `running`, `window` or a fixed gain; the model's own if None.
        hop: seconds between windows; the model's own if None.
        channel: the one to use, from 0 up; None captures one channel where the device allows, else the mean of all.
        seconds: length of the audio, including lost audio, after which it ends; None: never.
        record: a new WAV file for the captured audio, with zeros for lost samples; RF64 beyond 4 GiB. It gets its name at
            the end, also after an error; until then, and where something has come to its place meanwhile, it is named
            `.NAME.XXXXXXXX.part`. If nothing was captured, no file appears.
        reopen: whether to wait for a lost device; the time in between is a gap.
        backlog: seconds of audio kept for a slow consumer, 1 to 600.
        tap: called by the thread that reads frames, with each block as it was captured: its samples, int16 (samples,
            channels), read-only, and the moment by `time.monotonic()` when the last of them was captured. An error that it
            raises comes out of `read`, and ends the microphone. Lost samples are in no block.

    Raises:
        MicrophoneNotFoundError: there is no such device.
        MicrophoneOpenError: it cannot be opened.
        MissingPackageError: sounddevice or PortAudio is not installed.
        ModelUseError: the model, or the level `utterance`, needs the whole audio at once.
        OutputError: the recording cannot be written.
        ArgumentError: an argument is outside what is allowed, or `record` exists.
    """

    def __init__(
        self,
        extractor: Extractor,
        device: int | str | None = None,
        *,
        rate: int | None = None,
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | None = None,
        seconds: float | None = None,
        record: str | os.PathLike[str] | None = None,
        reopen: bool = False,
        backlog: float = 10.0,
        tap: Tap | None = None,
    ) -> None:
        check_extractor(extractor)
        if seconds is not None and not 0 < as_float(seconds) < 1e9:
            raise ArgumentError(f"seconds {seconds!r}: expected a number above 0")
        if not 1 <= as_float(backlog) <= 600:
            raise ArgumentError(f"backlog {backlog!r}: expected 1 to 600 seconds")
        if device is not None and not isinstance(device, str):
            device = whole_number("device, an index or a part of its name:", device, -(1 << 31))
        channel = check_channel(channel, None)
        if record is not None:
            check_recording(record)
        if tap is not None and not callable(tap):
            raise ArgumentError(f"tap {tap!r}: expected a function")
        config = extractor.config
        rates = (config.audio.rate, None) if rate is None else (check_rate(rate),)
        # The first window takes longer than others: it is computed before audio arrives.
        extractor.stream(level=level, hop=hop).push(np.zeros(config.audio.window, np.float32))
        needed, step = 1 if channel is None else channel + 1, config.level.step / config.audio.rate
        self._capture = capture = Capture(device, rates, needed, step, float(backlog), reopen)
        try:
            self._stream = extractor.stream(capture.rate, capture.channels, level=level, hop=hop, channel=channel)
            self._recording = None if record is None else Recording(Path(record), capture.rate, capture.channels)
        except BaseException:
            capture.close()
            raise
        # A microphone that nobody holds any more closes its device. At the end of the process PortAudio does.
        weakref.finalize(self, capture.release).atexit = False
        self._tap, self._limit = tap, sys.maxsize if seconds is None else round(float(seconds) * capture.rate)
        self._lock = threading.Lock()  # for what follows
        self._timeline, self._tally = Timeline(capture.rate), Tally()
        self._position = 0  # samples taken, lost ones included
        self._lost_windows = 0
        self._busy = 0.0  # computing since the last frame, in seconds
        self._waiting: collections.deque[tuple[Frame, float]] = collections.deque()
        self._done = False  # nothing more is computed; what waits is still delivered, then the failure is raised
        self._failure: Exception | None = None
        self.device: InputDevice = capture.device
        """The device that was opened."""
        self.rate: int = capture.rate
        """Sampling rate of the device, in hertz."""
        self.channels: int = capture.channels
        """Channels captured."""
        self.away: str | None = None
        """Why the device is lost, while it is to be opened again; None while it delivers."""
        self.peak = 0.0
        """Largest magnitude of the last block, 0..1."""

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, timeout: float | None = None) -> LiveFrame | None:
        """The next frame; None when there is none within `timeout` seconds, or when the microphone has ended.

        With `timeout=0` it computes the captured audio, at most up to the next frame, and returns at once: for timers of
        graphical programs. None waits without a limit.

        Raises:
            MicrophoneLostError: the device was unplugged or stopped delivering; all that came before was delivered.
            OutputError: the recording cannot be written.
        """
        seconds = min(as_float(math.inf if timeout is None else timeout), 1e6)  # locks know no infinity
        if math.isnan(seconds):
            raise ArgumentError(f"timeout {timeout!r}: expected seconds, or None")
        until = None if timeout is None else time.monotonic() + seconds
        while not self._can_deliver:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not self._advance(left) and left == 0:
                return None
        return self._deliver()

    def __next__(self) -> LiveFrame:
        frame = self.read()
        if frame is None:
            raise StopIteration
        return frame

    async def __anext__(self) -> LiveFrame:
        import asyncio

        # If the task is cancelled here, its thread ends by itself; a frame that it computes is not lost.
        while not self._can_deliver:
            await asyncio.to_thread(self._advance, TICK)
        frame = self._deliver()
        if frame is None:
            raise StopAsyncIteration
        return frame

    def stop(self) -> None:
        """Stop capturing; audio that was captured before is still delivered. Signal handlers may call this too."""
        self._capture.stop()

    def close(self) -> None:
        """Close the device and the recording. This never hangs: a device that does not close is left alone."""
        self._done = True  # a thread that reads computes no further block
        self._capture.release()
        with self._lock:
            self._end()
        self._capture.close()

    @property
    def ended(self) -> bool:
        """Whether no further frame will come."""
        return self._done and not self._waiting

    def summary(self, recent: float | None = None) -> Summary:
        """Summarise what the microphone has done so far.

        Args:
            recent: only count the last seconds, above 0 and up to 60; `waiting` is always the present number.

        Raises:
            ArgumentError: `recent` is outside what is allowed.
        """
        if recent is not None and not 0 < as_float(recent) <= KEPT:
            raise ArgumentError(f"recent {recent!r}: expected seconds, above 0 and up to {KEPT:g}")
        since = None if recent is None else time.monotonic() - float(recent)
        return self._tally.summary(self.device.name, self.rate, self.channels, len(self._waiting), since)

    @property
    def _can_deliver(self) -> bool:
        return bool(self._waiting) or self._done

    def _deliver(self) -> LiveFrame | None:
        """The next frame; when there is none, None, or the error that ended it."""
        if not self._waiting and self._failure is not None:
            raise self._failure
        if not self._waiting:
            return None
        frame, captured = self._waiting.popleft()
        now = time.monotonic()
        captured = min(captured, now)
        latency = now - captured
        self._tally.add(now, Event(frames=1, gap_frames=int(frame.gap), latency=latency))
        return LiveFrame(frame.values, frame.facts, frame.layout, time.time() - latency, captured, latency)

    def _advance(self, timeout: float | None) -> bool:
        """Process the next event from the device; return whether there was one."""
        with self._lock:
            if self._can_deliver:
                return True
            if self.away is not None:
                # Time goes on without blocks.
                timeout = TICK if timeout is None else min(timeout, TICK)
            item = self._capture.get(timeout)
            try:
                self._take(item)
            except BaseException as error:
                # A stream that was interrupted or has failed cannot be used any more.
                self._end(error if isinstance(error, Exception) else None)
                raise
            return item is not None

    def _take(self, item: AudioBlock | str | None) -> None:
        """Process a block, or the reason why the device is lost; None means that nothing came for a while."""
        if isinstance(item, AudioBlock):
            self.away = None
            lost, samples = self._timeline.place(item), np.frombuffer(item.data, np.int16).reshape(-1, self.channels)
            if item.filled:
                lost, samples = lost._replace(device=lost.device + item.length), samples[:0]
            else:
                self.peak = max(int(samples.max()), -int(samples.min())) / 2**15
            self._compute(lost, samples)
        elif item is not None and self._capture.reopens:
            self.away = item
        elif item is not None:
            self._finish(MicrophoneLostError(f"{self.device.name}: {item}"))
        elif self._capture.exhausted:
            self._finish()
        elif self.away and self._position and self._timeline.captured(self._limit / self.rate) <= time.monotonic():
            # The rest of the requested audio is lost: its time is over.
            self._compute(Losses(reopening=self._limit - self._position), np.empty((0, self.channels), np.int16))

    def _compute(self, losses: Losses, samples: NDArray[np.int16]) -> None:
        """Process lost samples and the samples after them, up to the end of the requested audio."""
        left = self._limit - self._position
        losses = losses.first(left)
        lost = losses.total
        samples = samples[: left - lost]
        self._position += lost + len(samples)
        started = time.perf_counter()
        blocks = [self._stream.skip(lost)] if lost else []
        blocks.append(self._stream.push(samples))
        self._count(started, blocks, losses, len(samples))
        if self._recording is not None:
            self._recording.skip(lost)
            self._recording.write(samples)
        if self._tap is not None and len(samples):
            self._tap(samples, self._timeline.captured(self._position / self.rate))
        if self._position == self._limit:
            self._finish()

    def _finish(self, failure: Exception | None = None) -> None:
        """Compute what the resampler still held back, and end."""
        self._count(time.perf_counter(), [self._stream.finish()], Losses(), 0)
        self._end(failure)

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
        self._tally.add(time.monotonic(), Event(*losses, samples, lost_windows, spent, computing=computing))

    def _end(self, failure: Exception | None = None) -> None:
        """Compute nothing more; close the device and the recording."""
        self._done, self.away = True, None
        self._failure = self._failure or failure
        self._capture.release()
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()
