"""What a microphone has done so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


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
