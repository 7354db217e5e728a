"""A summary of what a microphone has done, in total or in its last seconds, with percentiles."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgevoice.microphone.timeline import Losses

KEPT = 60.0
"""How many seconds a tally remembers."""

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
    """Counts durations in bins that are 1 % wide, from 1 us to 10 000 s; the largest is exact. The memory is constant."""

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
        """The duration in seconds, to 1 %, that `percent` percent do not exceed. There must be at least one duration."""
        rank = math.ceil(self.count * percent / 100)
        bin_ = int(np.searchsorted(np.cumsum(self._counts), max(rank, 1)))
        return min(_SMALLEST * math.exp(bin_ * _STEP), self.largest)

    def percentiles(self) -> Percentiles | None:
        """The percentiles that a summary has; None where there is no duration."""
        if not self.count:
            return None
        p50, p99, p999 = (self.percentile(percent) for percent in (50, 99, 99.9))
        return Percentiles(p50, p99, p999, self.largest)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a microphone has done; windows expected since it was opened = frames + waiting + lost windows."""

    device: str
    """Name of the device."""
    rate: int
    """Sampling rate of the device, in hertz."""
    channels: int
    seconds: float
    """The length of the audio, including lost audio."""
    frames: int
    """Frames that were delivered."""
    waiting: int
    """Frames that were computed and not delivered yet."""
    gap_frames: int
    """Delivered frames whose windows contain lost audio."""
    lost_windows: int
    """The number of windows that consist of lost audio only; they were not computed."""
    lost_queue: float
    """The length of audio that was dropped because the consumer was slow, in seconds: exact."""
    lost_device: float
    """The length of audio that PortAudio reported as lost, in seconds: an estimate."""
    lost_clock: float
    """How far the audio permanently fell behind the clock, in seconds: an estimate."""
    lost_reopening: float
    """The time between the loss of the device and its return, in seconds: an estimate."""
    latency: Percentiles | None
    """The time from the capture of a window's last sample to the delivery of its frame; None before the first frame."""
    computing: Percentiles | None
    """Computing time per frame; None before the first frame."""
    load: float
    """The ratio of computing time to the length of the audio."""

    @property
    def lost(self) -> float:
        """Seconds of audio lost in any way."""
        return self.lost_queue + self.lost_device + self.lost_clock + self.lost_reopening

    def to_dict(self) -> dict[str, Any]:
        """The summary as dictionaries, strings and numbers for JSON."""
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
    """An event that a summary counts."""

    losses: Losses = _NOTHING
    """Lost samples."""
    samples: int = 0
    """Samples that arrived."""
    lost_windows: int = 0
    busy: float = 0.0
    """Computing time in seconds."""
    computing: Sequence[float] = ()
    """Computing time of each frame that was computed."""
    latency: float | None = None
    """Latency of the frame that was delivered."""
    gap: bool = False
    """Whether that frame contains lost audio."""


class Counts:
    """Sums over events."""

    def __init__(self) -> None:
        self._losses = Losses()
        self._samples = self._lost_windows = self._frames = self._gap_frames = 0
        self._busy = 0.0
        self._latency, self._computing = Histogram(), Histogram()

    def add(self, event: Event) -> None:
        """Add an event."""
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
        """Make a summary."""
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
    """The sums over all events, and the events of the last minute. The memory is constant."""

    def __init__(self) -> None:
        self._all = Counts()
        self._recent: collections.deque[tuple[float, Event]] = collections.deque()

    def add(self, moment: float, event: Event) -> None:
        """Count an event; times, in seconds, never decrease."""
        self._all.add(event)
        self._recent.append((moment, event))
        while self._recent[0][0] < moment - KEPT:
            self._recent.popleft()

    def counts(self, since: float | None = None) -> Counts:
        """The sums of all events, or of those since a time."""
        if since is None:
            return self._all
        counts = Counts()
        for moment, event in list(self._recent):  # another thread may ask
            if moment >= since:
                counts.add(event)
        return counts
