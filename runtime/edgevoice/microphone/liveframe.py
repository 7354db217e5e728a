"""Frames of a microphone: those of a stream, with what the clocks say about them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from edgevoice.features import Frame


@dataclass(frozen=True, eq=False, repr=False)
class LiveFrame(Frame):
    """A frame, and when its window was heard."""

    time: float
    """Wall clock, in seconds since the epoch, at which the window's last sample was captured."""
    captured: float
    """`time.monotonic()` at which the window's last sample was captured, in seconds."""
    latency: float
    """Seconds from the capture of the window's last sample to the delivery of this frame."""

    @classmethod
    def of(cls, frame: Frame, time: float, captured: float, latency: float) -> Self:
        """A frame of a stream, with its times in seconds."""
        own = {item.name: getattr(frame, item.name) for item in fields(frame)}
        return cls(**own, time=time, captured=captured, latency=latency)

    def place(self) -> dict[str, Any]:
        """All but the descriptors, ready for JSON."""
        return {**super().place(), "time": self.time, "latency": self.latency}
