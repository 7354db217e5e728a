"""A summary of what a microphone has done, in total or in its last seconds, with percentiles."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

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
    def of(cls, durations: Iterable[float], largest: float = 0.0) -> Self | None:
        """Percentiles of durations, by nearest rank, and their largest or `largest`; None where there is none."""
        ordered = sorted(durations)
        if not ordered:
            return None
        p50, p99 = (ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 99))
        return cls(p50, p99, max(ordered[-1], largest))

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

    def to_dict(self) -> dict[str, Any]:
        """The summary as dictionaries, strings and numbers for JSON."""
        return asdict(self)

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


@dataclass(frozen=True, slots=True)
class Event:
    """What happened at one moment, or the sum of several: `computing` and `latency` are then the longest."""

    losses: Losses = field(default_factory=Losses)
    samples: int = 0
    """Samples that arrived."""
    lost_windows: int = 0
    busy: float = 0.0
    """Computing time in seconds."""
    computed: int = 0
    """Frames that were computed."""
    computing: float = 0.0
    """Computing time of each of them."""
    frames: int = 0
    """Frames that were delivered."""
    latency: float = 0.0
    """Latency of a delivered frame."""
    gap_frames: int = 0
    """Delivered frames that contain lost audio."""

    def __add__(self, other: Event) -> Event:
        pairs = {item.name: (getattr(self, item.name), getattr(other, item.name)) for item in fields(self)}
        return Event(**{name: max(a, b) if name in ("computing", "latency") else a + b for name, (a, b) in pairs.items()})


class Tally:
    """The sums over all events, and the events of the last minute. The memory is constant."""

    def __init__(self) -> None:
        self._all = Event()
        self._recent: collections.deque[tuple[float, Event]] = collections.deque()

    def add(self, moment: float, event: Event) -> None:
        """Count an event; times, in seconds, never decrease."""
        self._all += event
        self._recent.append((moment, event))
        while self._recent[0][0] < moment - KEPT:
            self._recent.popleft()

    def summary(self, device: str, rate: int, channels: int, waiting: int, since: float | None = None) -> Summary:
        """Summarise all events, or those since a time."""
        events = [event for moment, event in list(self._recent) if since is None or moment >= since]  # others may add
        sums = self._all if since is None else sum(events, Event())
        position = sums.samples + sums.losses.total
        return Summary(
            device=device,
            rate=rate,
            channels=channels,
            seconds=position / rate,
            frames=sums.frames,
            waiting=waiting,
            gap_frames=sums.gap_frames,
            lost_windows=sums.lost_windows,
            **{f"lost_{name}": count / rate for name, count in asdict(sums.losses).items()},
            latency=Percentiles.of((event.latency for event in events if event.frames), sums.latency),
            computing=Percentiles.of((event.computing for event in events for _ in range(event.computed)), sums.computing),
            load=sums.busy * rate / position if position else 0.0,
        )
