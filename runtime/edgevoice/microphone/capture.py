"""An input device that is open: the blocks that it hands over, their queue, and a watchdog that opens it again."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from edgevoice.errors import ArgumentError, EdgeVoiceError, MicrophoneOpenError
from edgevoice.microphone import portaudio
from edgevoice.microphone.devices import InputDevice, find_input
from edgevoice.microphone.portaudio import TICK, wait

_REFUSED = (-9994, -9997, -9998)
"""PortAudio's errors for a sample format, a rate or a number of channels that the device does not support."""
_LONGEST = 0.1
STALL = 1.5
"""Seconds of running time without a block after which a device counts as lost, so that it is noticed within 2 s."""
_RETRY = 0.5
_CLOSING = 1.0


class AudioBlock(NamedTuple):
    """Consecutive samples from the device."""

    data: bytes  # interleaved int16
    length: int  # samples per channel
    start: int  # samples that the device delivered before these, since it was opened
    opening: int  # how often the device had been opened before
    arrived: float  # `time.monotonic()` when PortAudio delivered the block
    captured: float  # the time of the first sample by PortAudio's clock; 0 where PortAudio does not report it
    stream_time: float  # PortAudio's clock when it delivered the block
    overflow: bool  # whether PortAudio reports that samples before this block were lost
    filled: bool  # whether PortAudio reports that zeros replace some of these samples


class Lost(NamedTuple):
    """The device stopped delivering."""

    reason: str
    awaited: bool
    """Whether the watchdog will open it again."""


class Stopped:
    """Capturing has stopped, and all earlier blocks have been taken."""


class BlockQueue:
    """Blocks that PortAudio's thread has delivered and the consumer has not taken. A full queue drops its oldest block.

    Nothing is counted here: the consumer sees by a block's `start` what went before it.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.stopped = False  # accepts nothing more
        # Written in C, without a lock that a signal handler or PortAudio's thread could find taken.
        self._items: queue.SimpleQueue[AudioBlock | Lost | None] = queue.SimpleQueue()

    def put(self, item: AudioBlock | Lost) -> None:
        """Add an item; never waits."""
        if self.stopped:
            return
        self._items.put(item)
        if isinstance(item, AudioBlock) and self._items.qsize() > self._capacity:
            self._drop()

    def stop(self) -> None:
        """Accept nothing more, and let `get` return. Signal handlers and all threads may call this."""
        self.stopped = True
        self._items.put(None)

    def discard(self) -> None:
        """Stop, and drop what waits."""
        self.stopped = True
        while not self._items.empty():
            self._drop()
        self.stop()

    def get(self, timeout: float | None) -> AudioBlock | Lost | Stopped | None:
        """The next item, `Stopped` after the last one; None when there is none in `timeout` seconds."""
        item = None
        with contextlib.suppress(queue.Empty):
            # After a stop it must not wait: the item that woke it up will not come again.
            item = self._items.get(timeout=0 if self.stopped else timeout)
        return Stopped() if item is None and self.stopped and self._items.empty() else item

    def _drop(self) -> None:
        # The consumer may have been faster: nothing may wait here, in PortAudio's thread.
        with contextlib.suppress(queue.Empty):
            self._items.get_nowait()


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """The properties of a capture that is to be opened."""

    device: int | str | None  # as `find_input`
    rate: int  # sampling rate to ask for, in hertz
    other_rate: bool  # whether the device's own rate will do where it does not support this one
    channels: int  # that are needed; a device that cannot open so few may open two or all of its channels
    step: float  # seconds of a level's step; a block is a fraction or a multiple of it
    form: tuple[int, int] | None = None  # the only rate and number of channels that will do

    def forms(self, device: InputDevice) -> list[tuple[int, int]]:
        """(rate, channels) to try, in order. Raises an ArgumentError where the device has too few channels."""
        if self.form is not None:
            return [self.form]
        least, most = self.channels, device.channels
        if least > most:
            raise ArgumentError(f"channel {least - 1}: {device.name} has {most} channel(s), counted from 0")
        rates = dict.fromkeys((self.rate, device.rate) if self.other_rate else (self.rate,))
        return [(rate, count) for rate in rates for count in sorted({least, 2, most}) if least <= count <= most]

    @property
    def block(self) -> float:
        """The length of a block in seconds: about 50 ms, at a fifth of the cost of 10 ms.

        Windows and hops are multiples of the level's step. With blocks that fit into it, the block that completes a
        window ends with it, and the block's length does not add to the latency.
        """
        step = self.step if self.step <= _LONGEST else self.step / math.ceil(self.step / _LONGEST)
        return step * max(1, round(0.05 / step))


class Capture:
    """An open input device. PortAudio's thread opens and closes it.

    The callback copies the samples, looks at the clock and enqueues; all else is the consumer's.
    """

    def __init__(
        self, device: InputDevice, rate: int, channels: int, size: int, blocks: BlockQueue, opening: int = 0
    ) -> None:
        self.device, self.rate, self.channels = device, rate, channels
        self.delivered = 0  # samples
        self.ended: Callable[[], object] = lambda: None
        """Called when the device stops delivering and will not resume."""
        self.has_ended = False
        self._blocks, self._opening = blocks, opening
        self._stream = portaudio.load().RawInputStream(
            samplerate=rate,
            blocksize=size,
            device=device.index,
            channels=channels,
            dtype="int16",
            latency="low",
            callback=self._take,
            finished_callback=self._end,
        )
        try:
            self._stream.start()
        except BaseException:
            self._stream.close()
            raise
        portaudio.open_streams.add(self)

    def _take(self, samples: Any, count: int, times: Any, status: Any) -> None:
        arrived = time.monotonic()
        self._blocks.put(
            AudioBlock(
                data=bytes(samples),
                length=count,
                start=self.delivered,
                opening=self._opening,
                arrived=arrived,
                captured=times.inputBufferAdcTime,
                stream_time=times.currentTime,
                overflow=bool(status) and status.input_overflow,
                filled=bool(status) and status.input_underflow,
            )
        )
        self.delivered += count

    def _end(self) -> None:
        self.has_ended = True
        self.ended()

    def close(self) -> None:
        """Close the device, with `abort`: `stop` would never return from a device that hangs."""
        portaudio.open_streams.discard(self)
        self._stream.abort()
        self._stream.close()


def open_capture(request: CaptureRequest, blocks: BlockQueue, opening: int = 0) -> Capture:
    """Open the device in the first form that it supports; any thread may call this. Raises what `Microphone` does."""
    return portaudio.call(lambda: _open(request, blocks, opening), late=Capture.close)


def _open(request: CaptureRequest, blocks: BlockQueue, opening: int) -> Capture:
    device, sounddevice = find_input(request.device), portaudio.load()
    forms = request.forms(device)
    for rate, channels in forms:
        try:
            return Capture(device, rate, channels, round(rate * request.block), blocks, opening)
        except sounddevice.PortAudioError as error:
            words, *more = error.args  # message, number, (.., .., the message of the audio system below)
            if not more or more[0] not in _REFUSED:
                reason = f"{words}: {more[1][2]}" if len(more) > 1 and more[1][2] else words
                raise MicrophoneOpenError(
                    f"{device.name}: cannot be opened; is it busy, or unplugged? ({reason})"
                ) from error
    tried = ", ".join(f"{rate} Hz with {channels} channel(s)" for rate, channels in forms)
    raise MicrophoneOpenError(f"{device.name}: supports none of {tried} in 16-bit samples")


class Watchdog:
    """A thread that watches a capture from its first block to its end, and closes it.

    A device that is unplugged, or whose audio server is killed, ends at once; one whose server hangs, or that is
    suspended, just stops delivering. Either puts `Lost` into the queue. Time is counted in ticks of this thread, so
    that a process that was stopped does not take its own absence for the device's. The capture is the watchdog's from here
    on; `reopen` opens the device once more, given how often it has been opened, None where a lost device stays lost.
    """

    def __init__(self, capture: Capture, blocks: BlockQueue, reopen: Callable[[int], Capture] | None) -> None:
        self._blocks, self._reopen = blocks, reopen
        self._openings = 1
        self._closing, self._wake, self._let_go = threading.Event(), threading.Event(), threading.Event()
        threading.Thread(target=self._run, args=(capture,), name="microphone watchdog", daemon=True).start()

    def close(self) -> None:
        """Close the device and wait for that, unless it hangs."""
        self.release()
        wait(self._let_go, 2 * _CLOSING)

    def release(self) -> None:
        """Close the device without waiting for it."""
        self._closing.set()
        self._wake.set()

    def _run(self, capture: Capture | None) -> None:
        while capture is not None:
            self._let_go.clear()  # set once it is closed, or lost so that closing it may never end
            reason = self._watch(capture)
            if reason is not None:
                self._let_go.set()
                self._blocks.put(Lost(reason, awaited=self._reopen is not None))
            # If the server hangs, the call waits until the server continues.
            with contextlib.suppress(Exception):
                portaudio.call(capture.close, patience=_CLOSING)
            capture = None if reason is None or self._reopen is None else self._open_again(self._reopen)
        self._let_go.set()

    def _watch(self, capture: Capture) -> str | None:
        """Wait until the device is lost, and return the reason; None when it is to be closed."""
        capture.ended = self._wake.set
        ticks, seen = 0, -1
        while ticks * TICK < STALL:
            self._wake.wait(TICK)
            self._wake.clear()
            if self._closing.is_set():
                return None
            if capture.has_ended:
                return "it was unplugged, or its audio server ended"
            ticks = ticks + 1 if capture.delivered == seen else 0
            seen = capture.delivered
        return f"it has delivered nothing for {STALL:g} s"

    def _open_again(self, reopen: Callable[[int], Capture]) -> Capture | None:
        while not wait(self._closing, _RETRY):
            try:
                capture = reopen(self._openings)
            except EdgeVoiceError:
                continue
            self._openings += 1
            return capture
        return None
