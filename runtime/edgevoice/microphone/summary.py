"""What a microphone has done, in all or over its last seconds, and the percentiles that belong to it."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgevoice.microphone.timeline import Losses

KEPT = 60.0
"""Seconds that a tally looks back."""

_NOTHING = Losses()
_SMALLEST, _LARGEST, _STEP = 1e-6, 1e4, 0.01


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of a duration, in seconds."""

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
    """What a microphone has done; windows expected since it was opened = frames + waiting + lost windows."""

    device: str
    """Its name."""
    rate: int
    """Sampling rate of the device, in hertz."""
    channels: int
    seconds: float
    """Duration of the audio, lost audio included."""
    frames: int
    """Frames delivered."""
    waiting: int
    """Frames computed and not delivered yet."""
    gap_frames: int
    """Frames delivered whose windows touch lost audio."""
    lost_windows: int
    """Number of windows that consist of lost audio only; they were not computed."""
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


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a summary counts."""

    losses: Losses = _NOTHING
    """Samples lost."""
    samples: int = 0
    """Samples taken, without the lost ones."""
    lost_windows: int = 0
    busy: float = 0.0
    """Seconds of computing."""
    computing: Sequence[float] = ()
    """Computing time of each frame that came of it."""
    latency: float | None = None
    """Latency of a frame that was delivered."""
    gap: bool = False
    """Whether that frame touches lost audio."""


class Counts:
    """Events, added up."""

    def __init__(self) -> None:
        self._losses = Losses()
        self._samples = self._lost_windows = self._frames = self._gap_frames = 0
        self._busy = 0.0
        self._latency, self._computing = Histogram(), Histogram()

    def add(self, event: Event) -> None:
        """Count one more event."""
        self._losses += event.losses
        self._samples += event.samples
        self._lost_windows += event.lost_windows
        self._busy += event.busy
        for seconds in event.computing:
            self._computing.add(seconds)
        if event.latency is not None:
            self._latency.add(event.latency)
            self._frames += 1
            self._gap_frames += event.gap

    def summary(self, device: str, rate: int, channels: int, waiting: int) -> Summary:
        """What they come to."""
        losses, position = self._losses, self._samples + self._losses.total
        return Summary(
            device=device,
            rate=rate,
            channels=channels,
            seconds=position / rate,
            frames=self._frames,
            waiting=waiting,
            gap_frames=self._gap_frames,
            lost_windows=self._lost_windows,
            lost_queue=losses.queue / rate,
            lost_device=losses.device / rate,
            lost_clock=losses.clock / rate,
            lost_reopening=losses.reopening / rate,
            latency=self._latency.percentiles(),
            computing=self._computing.percentiles(),
            load=self._busy * rate / position if position else 0.0,
        )


class Tally:
    """All events added up, and those of the last minute one by one. Memory does not grow."""

    def __init__(self) -> None:
        self._all = Counts()
        self._recent: collections.deque[tuple[float, Event]] = collections.deque()

    def add(self, moment: float, event: Event) -> None:
        """Count an event; moments, in seconds, do not go backwards."""
        self._all.add(event)
        self._recent.append((moment, event))
        while self._recent[0][0] < moment - KEPT:
            self._recent.popleft()

    def counts(self, since: float | None = None) -> Counts:
        """All that was counted, or what was counted since a moment."""
        if since is None:
            return self._all
        counts = Counts()
        for moment, event in list(self._recent):  # another thread may ask
            if moment >= since:
                counts.add(event)
        return counts
