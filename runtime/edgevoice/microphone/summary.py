"""A summary of what a microphone has done, in total or in its last seconds, with percentiles."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgevoice.microphone.timeline import Losses

KEPT = 60.0
"""How many seconds a tally remembers."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of a duration, in seconds."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, durations: Iterable[float], largest: float) -> Percentiles | None:
        """Percentiles of durations, by nearest rank, beside the largest of these and others; None where there is none."""
        known = list(durations)
        if not known:
            return None
        p50, p99 = np.percentile(known, (50, 99), method="inverted_cdf").tolist()
        return cls(p50, p99, largest)

    def __str__(self) -> str:
        return f"p50 {1e3 * self.p50:.1f}, p99 {1e3 * self.p99:.1f}, max {1e3 * self.max:.1f} ms"


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
    """The time from the capture of a window's last sample to the delivery of its frame, over the last minute at most; `max`
    is over all frames. None where no frame was delivered."""
    computing: Percentiles | None
    """Computing time per frame, over the same frames."""
    load: float
    """The ratio of computing time to the length of the audio."""

    @property
    def lost(self) -> float:
        """Seconds of audio lost in any way."""
        return self.lost_queue + self.lost_device + self.lost_clock + self.lost_reopening

    def __str__(self) -> str:
        lost = (
            f"{self.lost:.2f} s lost (slow consumer {self.lost_queue:.2f}, reported by the device about "
            f"{self.lost_device:.2f}, by the clock about {self.lost_clock:.2f}, device gone about {self.lost_reopening:.2f})"
        )
        return (
            f"{self.device}: {self.rate} Hz, {self.channels} channel(s), {self.seconds:.2f} s of audio\n"
            f"frames: {self.frames}, of which {self.gap_frames} touch gaps; {self.lost_windows} windows lost\n"
            f"gaps: {lost if self.lost else 'none'}\n"
            f"latency: {self.latency or '-'}\n"
            f"computing: {self.computing or '-'}; load {100 * self.load:.1f} %"
        )


class Event(NamedTuple):
    """What happened at one moment, or the sum of several: `computing` and `latency` are then the longest."""

    reopening: int = 0  # lost samples, as `Losses` has them
    queue: int = 0
    device: int = 0
    clock: int = 0
    samples: int = 0  # that arrived
    lost_windows: int = 0
    busy: float = 0.0  # computing, in seconds
    frames: int = 0  # that were delivered
    gap_frames: int = 0  # of these, frames that contain lost audio
    computing: float = 0.0  # of each frame that was computed, in seconds; 0 where there was none
    latency: float = 0.0  # of a delivered frame

    @classmethod
    def sum(cls, events: Iterable[Event]) -> Event:
        """The sum; of no events too."""
        *counts, computing, latency = zip(cls(), *events, strict=True)
        return cls._make([*map(sum, counts), max(computing), max(latency)])


class Tally:
    """The sums over all events, and the events of the last minute. The memory is constant."""

    def __init__(self) -> None:
        self._all = Event()
        self._recent: collections.deque[tuple[float, Event]] = collections.deque()

    def add(self, moment: float, event: Event) -> None:
        """Count an event; times, in seconds, never decrease."""
        self._all = Event.sum((self._all, event))
        self._recent.append((moment, event))
        while self._recent[0][0] < moment - KEPT:
            self._recent.popleft()

    def summary(self, device: str, rate: int, channels: int, waiting: int, since: float | None = None) -> Summary:
        """Summarise all events, or those since a time."""
        events = [event for moment, event in list(self._recent) if since is None or moment >= since]  # others may add
        sums = self._all if since is None else Event.sum(events)
        lost = {f"lost_{name}": getattr(sums, name) for name in Losses._fields}
        seconds = (sums.samples + sum(lost.values())) / rate
        return Summary(
            device=device,
            rate=rate,
            channels=channels,
            seconds=seconds,
            frames=sums.frames,
            waiting=waiting,
            gap_frames=sums.gap_frames,
            lost_windows=sums.lost_windows,
            **{name: count / rate for name, count in lost.items()},
            latency=Percentiles.of((event.latency for event in events if event.frames), sums.latency),
            computing=Percentiles.of((event.computing for event in events if event.computing), sums.computing),
            load=sums.busy / seconds if seconds else 0.0,
        )
