"""An input device that is open, the blocks that it hands over, and the queue that they go through."""

from __future__ import annotations

import contextlib
import math
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from edgevoice.errors import ArgumentError, MicrophoneOpenError
from edgevoice.microphone import portaudio
from edgevoice.microphone.devices import InputDevice, find_input

_REFUSED = (-9994, -9997, -9998)
"""PortAudio's errors for a sample format, a rate or a number of channels that the device does not support."""
_LONGEST = 0.1


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
