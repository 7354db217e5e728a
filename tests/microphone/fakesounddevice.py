"""Stand-ins for sounddevice and the clock, for what no audio server can be made to do, and what microphones then give."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

import edgevoice
from edgevoice import LiveFrame, Microphone


class PortAudioError(Exception):
    """As sounddevice's: message, PortAudio's number."""


class RawInputStream:
    """As sounddevice's, of a fake device; a test gives it its samples."""

    module: FakeSoundDevice

    def __init__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        device: int,
        channels: int,
        dtype: str,
        latency: str,
        callback: Callable[..., None],
        finished_callback: Callable[[], None],
    ) -> None:
        assert latency == "low"
        module = self.module
        module.attempts.append((device, samplerate, channels))
        if module.failure is not None:
            raise module.failure
        module.check_input_settings(device=device, channels=channels, dtype=dtype, samplerate=samplerate)
        self.rate, self.size, self.channels = samplerate, blocksize, channels
        self.callback, self.finished_callback = callback, finished_callback
        self.position = 0
        self.calls: list[str] = []
        module.streams.append(self)

    def start(self) -> None:
        self.calls.append("start")

    def abort(self) -> None:
        self.calls.append("abort")
        self.module.block_in_abort()
        self.end()

    def close(self) -> None:
        self.calls.append("close")

    def end(self) -> None:
        """The device is gone, or was stopped."""
        finished, self.finished_callback = self.finished_callback, lambda: None
        finished()

    def give(self, samples: np.ndarray, *, adc: float | None = None, **flags: bool) -> None:
        """Hand over int16 samples (samples,) or (samples, channels), in blocks; flags go with the first."""
        samples = samples.reshape(-1, self.channels)
        for start in range(0, len(samples) - self.size + 1, self.size):
            block = samples[start : start + self.size]
            captured = 1000 + self.position / self.rate if adc is None else adc
            times = SimpleNamespace(inputBufferAdcTime=captured, currentTime=captured + self.size / self.rate)
            status = SimpleNamespace(**{"input_overflow": False, "input_underflow": False, **flags})
            self.callback(memoryview(block.tobytes()), len(block), times, status)
            flags, adc = {}, None
            self.position += len(block)

    def speak(self, samples: np.ndarray) -> None:
        """Hand over int16 samples at the pace of speech."""
        clock = self.module.clock
        started = clock.monotonic()
        for k, start in enumerate(range(0, len(samples) - self.size + 1, self.size), start=1):
            clock.sleep(max(0.0, started + k * self.size / self.rate - clock.monotonic()))
            self.give(samples[start : start + self.size])


class FakeSoundDevice:
    """What EdgeVoice uses of sounddevice: one device, or more; `forms` are the (rate, channels) that they take."""

    def __init__(self) -> None:
        self.PortAudioError = PortAudioError
        self.RawInputStream = type("RawInputStream", (RawInputStream,), {"module": self})
        self.devices: list[dict[str, Any]] = []
        self.hosts = ["ALSA", "Other"]
        self.forms = {(rate, channels) for rate in (16000, 44100, 48000) for channels in (1, 2)}
        self.failure: Exception | None = None
        self.attempts: list[tuple[int, int, int]] = []
        self.streams: list[RawInputStream] = []
        self.default: int | None = 0
        self.restarts = 0
        self.clock: Any = time
        self.block_in_abort: Callable[[], object] = lambda: None
        self.add("Fake microphone", channels=2, rate=48000)

    def add(self, name: str | bytes, *, channels: int = 1, rate: int = 16000, host: int = 0) -> None:
        self.devices.append(
            {"name": name, "hostapi": host, "max_input_channels": channels, "default_samplerate": float(rate)}
        )

    @property
    def stream(self) -> RawInputStream:
        """The one opened last."""
        return self.streams[-1]

    def query_devices(self, device: int | None = None, kind: str | None = None) -> Any:  # noqa: ARG002
        if device is not None:
            if device >= len(self.devices):
                raise PortAudioError(f"Error querying device {device}")
            if isinstance(self.devices[device]["name"], bytes):
                self.devices[device]["name"].decode()
            return self.devices[device]
        if self.default is None or self.default >= len(self.devices):
            raise PortAudioError("Error querying device -1", -9996)
        return {**self.devices[self.default], "index": self.default}

    def query_hostapis(self) -> list[dict[str, str]]:
        return [{"name": name} for name in self.hosts]

    def check_input_settings(self, *, device: int, channels: int, dtype: str, samplerate: int) -> None:
        assert dtype == "int16"
        if channels > self.devices[device]["max_input_channels"] or channels not in {form[1] for form in self.forms}:
            raise PortAudioError("Invalid number of channels", -9998)
        if (samplerate, channels) not in self.forms:
            raise PortAudioError("Invalid sample rate", -9997)

    def _terminate(self) -> None:
        self.restarts += 1

    def _initialize(self) -> None:
        pass


class FakeClock:
    """What is used of the module `time`. Computing is measured by the real one: it takes no time by this clock."""

    perf_counter = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self.now = 1000.0
        """Seconds since some moment."""

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1.7e9 + self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def take(microphone: Microphone) -> list[LiveFrame]:
    """The frames of what the microphone has heard so far."""
    return list(iter(lambda: microphone.read(timeout=0), None))


def assert_equal(frames: list[LiveFrame], features: edgevoice.Features) -> None:
    assert [frame.position for frame in frames] == features.position.tolist()
    np.testing.assert_array_equal([frame.values for frame in frames], features.values)
