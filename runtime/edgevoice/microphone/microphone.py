"""Live frames from a microphone."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from edgevoice.audio.samples import check_channel, check_rate, is_number
from edgevoice.errors import ArgumentError
from edgevoice.extractor import check_extractor
from edgevoice.microphone.capture import BlockQueue, CaptureRequest, Watchdog, open_capture
from edgevoice.microphone.livestream import LiveStream, Tap
from edgevoice.microphone.portaudio import TICK
from edgevoice.microphone.recording import Recording, check_recording
from edgevoice.microphone.summary import KEPT, Summary
from edgevoice.wholenumbers import whole_number

if TYPE_CHECKING:
    from edgevoice.extractor import Extractor
    from edgevoice.microphone.devices import InputDevice
    from edgevoice.microphone.livestream import LiveFrame


class Microphone:
    """Frames from an input device, from the moment it is made until it is closed: an iterator and a context manager.

    Audio is captured in the background; frames are computed in the thread that reads them, one thread at a time.

    **Lost audio** never shifts later audio. It counts in positions, and zeros replace it; frames of windows that contain
    some of it have `gap` set, and windows that consist of it are counted, not computed. Audio is lost when the consumer
    is slower than `backlog` allows (the oldest audio is dropped first), when PortAudio reports an overflow (the amount is
    an estimate), while the device is unplugged (an estimate), and without any report: samples then fall behind the clock.
    When they have been over 100 ms late for 1 s, that much counts as lost (an estimate, and only from then on).

    **Latency** is the time from the capture of a window's last sample to the delivery of its frame, by
    `time.monotonic()`. PortAudio's thread reads that clock at every block; the least delayed block of the last ten
    seconds relates it to the samples. The delays of the operating system, the queue, this thread and the computation are
    therefore known to about 1 ms. Delays before PortAudio are known only where PortAudio reports the age of samples: to a
    few ms with Core Audio, WASAPI and ALSA hardware. PulseAudio and PipeWire through ALSA report nothing useful, so the
    buffers of server and hardware (5 to 50 ms) are not included. A `LiveFrame` has the time of capture by that clock as
    `captured`, and by the wall clock as `time`, which is as accurate as the system's clock.

    Some delays cannot be removed: the window (a frame describes the past 0.5 s), the hop (an event waits up to 0.25 s for
    the next frame), the block after a gap has shifted the windows against the blocks (up to 50 ms), and the resampler if
    the device does not run at the model's rate (21 ms).

    Args:
        extractor: a loaded model. It is warmed up before the device is opened.
        device: index or part of the name of an input device; None for the default. See `input_devices`.
        rate: sampling rate of the device, in hertz; None: the model's where the device takes it, else the device's own.
        level: `running`, `window` or a fixed gain; the model's own if None.
        hop: seconds between windows; the model's own if None.
        channel: the one to use, from 0 up; None captures one channel where the device allows, else the mean of all.
        seconds: length of the audio, including lost audio, after which it ends; None: never.
        record: a new WAV file for the captured audio, with zeros for lost samples; RF64 beyond 4 GiB. It gets its name when
            the microphone has ended or is closed, also after an error; until then, and where something has come to its place
            meanwhile, it is named `.NAME.XXXXXXXX.part`. If nothing was captured, no file appears.
        reopen: whether to wait for a lost device; the time in between is a gap.
        backlog: seconds of audio kept for a slow consumer, 1 to 600.
        tap: called with each block as it was captured: its samples, int16 (samples, channels), read-only, and the moment by
            `time.monotonic()` when the last of them was captured. It is called in `read`, by the thread that
            reads frames; an error that it raises comes out of `read`, and ends the microphone. Lost samples are in no block.

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
        if seconds is not None and not (is_number(seconds) and 0 < seconds < 1e9):
            raise ArgumentError(f"seconds {seconds!r}: expected a number above 0")
        if not (is_number(backlog) and 1 <= backlog <= 600):
            raise ArgumentError(f"backlog {backlog!r}: expected 1 to 600 seconds")
        if device is not None and not isinstance(device, str):
            device = whole_number("device, an index or a part of its name:", device, -(1 << 31))
        channel = check_channel(channel, None)
        if record is not None:
            check_recording(record)
        if tap is not None and not callable(tap):
            raise ArgumentError(f"tap {tap!r}: expected a function")
        config = extractor.config
        # The first window takes longer than others: it is computed before audio arrives.
        extractor.stream(level=level, hop=hop).push(np.zeros(config.audio.window, np.float32))
        request = CaptureRequest(
            device,
            rate=config.audio.rate if rate is None else check_rate(rate),
            other_rate=rate is None,
            channels=1 if channel is None else channel + 1,
            step=config.level.step / config.audio.rate,
        )
        self._blocks = BlockQueue(math.ceil(backlog / request.block))
        capture = open_capture(request, self._blocks)
        again = replace(request, form=(capture.rate, capture.channels))
        self._watchdog = Watchdog(capture, self._blocks, partial(open_capture, again, self._blocks) if reopen else None)
        try:
            stream = extractor.stream(capture.rate, capture.channels, level=level, hop=hop, channel=channel)
            recording = None if record is None else Recording(Path(record), capture.rate, capture.channels)
        except BaseException:
            self._watchdog.close()
            raise
        # A microphone that nobody holds any more closes its device. At the end of the process PortAudio does.
        weakref.finalize(self, self._watchdog.release).atexit = False
        self._live = LiveStream(stream, capture.device.name, capture.channels, seconds, recording, tap)
        self._lock = threading.Lock()
        self.device: InputDevice = capture.device
        """The device that was opened."""
        self.rate: int = capture.rate
        """Sampling rate of the device, in hertz."""
        self.channels: int = capture.channels
        """Channels captured."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def read(self, timeout: float | None = None) -> LiveFrame | None:
        """The next frame; None when there is none within `timeout` seconds, or when the microphone has ended.

        With `timeout=0` it computes the captured audio, at most up to the next frame, and returns at once: for timers of
        graphical programs. None waits without a limit.

        Raises:
            MicrophoneLostError: the device was unplugged or stopped delivering; all that came before was delivered.
            OutputError: the recording cannot be written.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not self._live.can_deliver:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not self._advance(left) and left == 0:
                return None
        return self._live.deliver()

    def __iter__(self) -> Iterator[LiveFrame]:
        return self

    def __next__(self) -> LiveFrame:
        frame = self.read()
        if frame is None:
            raise StopIteration
        return frame

    def __aiter__(self) -> AsyncIterator[LiveFrame]:
        return self

    async def __anext__(self) -> LiveFrame:
        import asyncio

        # If the task is cancelled here, its thread ends by itself; a frame that it computes is not lost.
        while not self._live.can_deliver:
            await asyncio.to_thread(self._advance, TICK)
        frame = self._live.deliver()
        if frame is None:
            raise StopAsyncIteration
        return frame

    def stop(self) -> None:
        """Stop capturing; audio that was captured before is still delivered. Signal handlers may call this too."""
        self._blocks.stop()

    def close(self) -> None:
        """Close the device and the recording. This never hangs: a device that does not close is left alone."""
        self._watchdog.release()
        self._blocks.discard()
        with self._lock:
            self._live.end()
        self._watchdog.close()

    @property
    def ended(self) -> bool:
        """Whether no further frame will come."""
        return self._live.exhausted

    @property
    def away(self) -> str | None:
        """Why the device is lost, while it is to be opened again; None while it delivers."""
        return self._live.away

    @property
    def peak(self) -> float:
        """Largest magnitude of the last block, 0..1."""
        return self._live.peak

    def summary(self, recent: float | None = None) -> Summary:
        """Summarise what the microphone has done so far.

        Args:
            recent: only count the last seconds, above 0 and up to 60; `waiting` is always the present number.

        Raises:
            ArgumentError: `recent` is outside what is allowed.
        """
        if recent is not None and not (is_number(recent) and 0 < recent <= KEPT):
            raise ArgumentError(f"recent {recent!r}: expected seconds, above 0 and up to {KEPT:g}")
        return self._live.summary(recent)

    def _advance(self, timeout: float | None) -> bool:
        """Process the next event from the device; return whether there was one."""
        with self._lock:
            if self._live.can_deliver:
                return True
            if self._live.away is not None:
                # Time goes on without blocks.
                timeout = TICK if timeout is None else min(timeout, TICK)
            try:
                item = self._blocks.get(timeout)
                self._live.take(item)
            finally:
                if self._live.ended or self._blocks.stopped:
                    self._watchdog.release()
            return item is not None
