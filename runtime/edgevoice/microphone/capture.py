"""An input device that is open: the blocks that it hands over, their queue, and a watchdog that opens it again."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from edgevoice.errors import ArgumentError, EdgeVoiceError, MicrophoneOpenError
from edgevoice.microphone import devices
from edgevoice.microphone.devices import TICK, InputDevice

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


class Capture:
    """An input device, open from the start, and the blocks of it that nobody has taken. A full queue drops its oldest block.

    Nothing is counted here: the consumer sees by a block's `start` what went before it.

    A thread watches the device, and closes it. A device that is unplugged, or whose audio server is killed, ends at once;
    one whose server hangs, or that is suspended, just stops delivering. Time is counted in ticks of this thread, so that a
    process that was stopped does not take its own absence for the device's.

    Args:
        device: as `find_input`.
        rates: sampling rates to try in this order, in hertz; None is the device's own.
        channels: how many are needed; a device that cannot open so few may open two or all of its channels.
        step: seconds of a level's step; a block is a fraction or a multiple of it.
        backlog: seconds of audio that may wait.
        reopen: whether a lost device is opened once more when it is back.

    Raises:
        EdgeVoiceError: as `Microphone`.
    """

    def __init__(
        self,
        device: int | str | None,
        rates: Sequence[int | None],
        channels: int,
        step: float,
        backlog: float = 10.0,
        reopen: bool = False,
    ) -> None:
        self._asked, self._seconds, self.reopens = device, block_length(step), reopen
        self._capacity = math.ceil(backlog / self._seconds)
        # Written in C, without a lock that a signal handler or PortAudio's thread could find taken.
        self._items: queue.SimpleQueue[AudioBlock | str | None] = queue.SimpleQueue()
        self._stopped = False
        self._closing = threading.Event()
        self._openings = 0
        first = self._open(lambda found: _forms(found, rates, channels))
        self.device, self.rate, self.channels = first.device, first.rate, first.channels
        self._thread = threading.Thread(target=self._run, name="microphone watchdog", daemon=True)
        self._thread.start()

    def get(self, timeout: float | None) -> AudioBlock | str | None:
        """The next block, or why the device is lost; None if neither comes in `timeout` seconds, or any more."""
        with contextlib.suppress(queue.Empty):
            # After a stop it must not wait: the item that woke it up will not come again.
            return self._items.get(timeout=0 if self._stopped else timeout)
        return None

    @property
    def exhausted(self) -> bool:
        """Whether it was stopped, and all earlier blocks have been taken."""
        return self._stopped and self._items.empty()

    def stop(self) -> None:
        """Accept no further block, and let `get` return. Signal handlers and all threads may call this."""
        self._stopped = True
        self._items.put(None)

    def release(self) -> None:
        """Stop, and close the device without waiting for it."""
        self.stop()
        self._closing.set()
        self._current.ended.set()

    def close(self) -> None:
        """Stop, close the device and wait for that, unless it hangs."""
        self.release()
        self._thread.join(2 * _CLOSING)

    def _put(self, item: AudioBlock | str) -> None:
        if self._stopped:
            return
        self._items.put(item)
        if isinstance(item, AudioBlock) and self._items.qsize() > self._capacity:
            # The consumer may have been faster: nothing may wait here, in PortAudio's thread.
            with contextlib.suppress(queue.Empty):
                self._items.get_nowait()

    def _open(self, forms: Callable[[InputDevice], list[tuple[int, int]]]) -> _OpenDevice:
        """Open the device in the first of its forms, rate and channels, that it supports."""

        def opened() -> _OpenDevice:
            device, sounddevice = devices.find_input(self._asked), devices.load()
            tried = forms(device)
            for rate, channels in tried:
                try:
                    return _OpenDevice(device, rate, channels, round(rate * self._seconds), self._openings, self._put)
                except sounddevice.PortAudioError as error:
                    if error.args[-1] not in _REFUSED:
                        raise MicrophoneOpenError(
                            f"{device.name}: cannot be opened; is it busy, or unplugged? ({error})"
                        ) from error
            words = ", ".join(f"{rate} Hz with {channels} channel(s)" for rate, channels in tried)
            raise MicrophoneOpenError(f"{device.name}: supports none of {words} in 16-bit samples")

        self._current = devices.call(opened, late=_OpenDevice.close)
        self._openings += 1
        return self._current

    def _run(self) -> None:
        device: _OpenDevice | None = self._current
        while device is not None:
            reason = self._watch(device)
            if reason is not None:
                self._put(reason)
            # If the server hangs, the call waits until the server continues.
            with contextlib.suppress(Exception):
                devices.call(device.close, patience=_CLOSING)
            device = self._open_again() if reason is not None and self.reopens else None

    def _watch(self, device: _OpenDevice) -> str | None:
        """Wait until the device is lost, and return the reason; None when it is to be closed."""
        ticks, seen = 0, -1
        while ticks * TICK < STALL:
            ended = device.ended.wait(TICK)
            if self._closing.is_set():
                return None
            if ended:
                return "it was unplugged, or its audio server ended"
            ticks = ticks + 1 if device.delivered == seen else 0
            seen = device.delivered
        return f"it has delivered nothing for {STALL:g} s"

    def _open_again(self) -> _OpenDevice | None:
        while not devices.wait(self._closing, _RETRY):
            with contextlib.suppress(EdgeVoiceError):
                return self._open(lambda _: [(self.rate, self.channels)])
        return None


class _OpenDevice:
    """A device from its opening to its end.

    The callback copies the samples, looks at the clock and enqueues; all else is the consumer's.
    """

    def __init__(
        self, device: InputDevice, rate: int, channels: int, size: int, opening: int, put: Callable[[AudioBlock], object]
    ) -> None:
        self.device, self.rate, self.channels = device, rate, channels
        self.delivered = 0  # samples
        self.ended = threading.Event()
        """Whether the device has stopped delivering, and will not resume."""
        self._opening, self._put = opening, put
        self._stream = devices.load().RawInputStream(
            samplerate=rate,
            blocksize=size,
            device=device.index,
            channels=channels,
            dtype="int16",
            latency="low",
            callback=self._take,
            finished_callback=self.ended.set,
        )
        try:
            self._stream.start()
        except BaseException:
            self._stream.close()
            raise
        devices.open_streams.add(self)

    def _take(self, samples: Any, count: int, times: Any, status: Any) -> None:
        arrived = time.monotonic()
        self._put(
            AudioBlock(
                data=bytes(samples),
                length=count,
                start=self.delivered,
                opening=self._opening,
                arrived=arrived,
                captured=times.inputBufferAdcTime,
                stream_time=times.currentTime,
                overflow=status.input_overflow,
                filled=status.input_underflow,
            )
        )
        self.delivered += count

    def close(self) -> None:
        """Close the device, with `abort`: `stop` would never return from a device that hangs."""
        devices.open_streams.discard(self)
        self._stream.abort()
        self._stream.close()


def block_length(step: float) -> float:
    """The length of a block in seconds: about 50 ms, at a fifth of the cost of 10 ms.

    Windows and hops are multiples of the level's step. With blocks that fit into it, the block that completes a window
    ends with it, and the block's length does not add to the latency.
    """
    step = step if step <= _LONGEST else step / math.ceil(step / _LONGEST)
    return step * max(1, round(0.05 / step))


def _forms(device: InputDevice, rates: Sequence[int | None], channels: int) -> list[tuple[int, int]]:
    """Rates and numbers of channels to try, in order."""
    most = device.channels
    if channels > most:
        raise ArgumentError(f"channel {channels - 1}: {device.name} has {most} channel(s), counted from 0")
    counts = [count for count in sorted({channels, 2, most}) if channels <= count <= most]
    return [(rate, count) for rate in dict.fromkeys(rate or device.rate for rate in rates) for count in counts]
