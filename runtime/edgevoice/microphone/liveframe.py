"""Frames of a microphone, with the time of capture and the latency."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from edgevoice.features import Frame


@dataclass(frozen=True, eq=False, repr=False)
class LiveFrame(Frame):
    """A frame with the time at which its window was captured."""

    time: float
    """The wall-clock time at which the window's last sample was captured, in seconds since the epoch."""
    captured: float
    """`time.monotonic()` at which the window's last sample was captured, in seconds."""
    latency: float
    """Seconds from the capture of the window's last sample to the delivery of this frame."""

    @classmethod
    def of(cls, frame: Frame, time: float, captured: float, latency: float) -> Self:
        """Make a live frame from a frame of a stream and its times in seconds."""
        own = {item.name: getattr(frame, item.name) for item in fields(frame)}
        return cls(**own, time=time, captured=captured, latency=latency)

    def place(self) -> dict[str, Any]:
        """Everything except the descriptors, for JSON."""
        return {**super().place(), "time": self.time, "latency": self.latency}
