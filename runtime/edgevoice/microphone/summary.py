"""What a microphone has done so far, and the percentiles that belong to it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_SMALLEST, _LARGEST, _STEP = 1e-6, 1e4, 0.01


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of a duration, in seconds."""

    p50: float
    p99: float
    p999: float
    max: float

    def __str__(self) -> str:
        values = (self.p50, self.p99, self.p999, self.max)
        return "p50 {:.1f}, p99 {:.1f}, p99.9 {:.1f}, max {:.1f} ms".format(*(1e3 * value for value in values))


class Histogram:
    """Durations in bins that are 1 % wide, from 1 us to 10 000 s; the largest is exact. Memory does not grow."""

    def __init__(self) -> None:
        self._counts = np.zeros(self._bin(_LARGEST) + 1, np.int64)
        self.largest = 0.0
        """The largest duration, in seconds."""
        self.count = 0

    @staticmethod
    def _bin(seconds: float) -> int:
        return round(math.log(min(max(seconds, _SMALLEST), _LARGEST) / _SMALLEST) / _STEP)

    def add(self, seconds: float) -> None:
        """Count one duration, in seconds."""
        self._counts[self._bin(seconds)] += 1
        self.count += 1
        self.largest = max(self.largest, seconds)

    def percentile(self, percent: float) -> float:
        """Duration, in seconds, that so many percent do not exceed, to 1 %. There must be one."""
        rank = math.ceil(self.count * percent / 100)
        bin_ = int(np.searchsorted(np.cumsum(self._counts), max(rank, 1)))
        return min(_SMALLEST * math.exp(bin_ * _STEP), self.largest)

    def percentiles(self) -> Percentiles | None:
        """Those that a summary tells; None where there is no duration."""
        if not self.count:
            return None
        p50, p99, p999 = (self.percentile(percent) for percent in (50, 99, 99.9))
        return Percentiles(p50, p99, p999, self.largest)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a microphone has done so far; windows expected = frames + waiting + lost windows."""

    device: str
    """Its name."""
    rate: int
    """Sampling rate of the device, in hertz."""
    channels: int
    seconds: float
    """Of audio, lost audio included."""
    frames: int
    """Frames delivered."""
    waiting: int
    """Frames computed and not delivered yet."""
    gap_frames: int
    """Frames delivered whose windows touch lost audio."""
    lost_windows: int
    """Windows wholly in lost audio, which were not computed."""
    lost_queue: float
    """Seconds of audio dropped because the consumer was slow: exact."""
    lost_device: float
    """Seconds of audio that PortAudio reported as lost: an estimate."""
    lost_clock: float
    """Seconds by which the audio fell behind the clock for good: an estimate."""
    lost_reopening: float
    """Seconds between the loss of the device and its return: an estimate."""
    latency: Percentiles | None
    """From the capture of a window's last sample to the delivery of its frame; None before the first."""
    computing: Percentiles | None
    """Computing time of a frame; None before the first."""
    load: float
    """Computing time over the time of the audio."""

    @property
    def lost(self) -> float:
        """Seconds of audio lost in any way."""
        return self.lost_queue + self.lost_device + self.lost_clock + self.lost_reopening

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, strings and numbers, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lost = (
            f"{self.lost:.2f} s lost (slow consumer {self.lost_queue:.2f}, reported by the device about "
            f"{self.lost_device:.2f}, by the clock about {self.lost_clock:.2f}, device gone about {self.lost_reopening:.2f})"
        )
        return "\n".join(
            (
                f"{self.device}: {self.rate} Hz, {self.channels} channel(s), {self.seconds:.2f} s of audio",
                f"frames: {self.frames}, of which {self.gap_frames} touch gaps; {self.lost_windows} windows lost",
                f"gaps: {lost if self.lost else 'none'}",
                f"latency: {self.latency or '-'}",
                f"computing: {self.computing or '-'}; load {100 * self.load:.1f} %",
            )
        )
