"""Where the audio track of a media file ends according to the file: that of other tracks, and so of the file, may differ."""

from __future__ import annotations

import re
from typing import Any

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.views import View

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_TIME_BASE = 1_000_000
"""FFmpeg's units of the length of a container, in a second."""


def mp4_end(container: Any, stream: Any, view: View) -> float | None:
    """The beginning of the track and its length."""
    del container, view
    if not stream.duration:
        return None
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base)


def matroska_end(container: Any, stream: Any, view: View) -> float | None:
    """What the track's tag says, else the length of a file that has no other track."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", "").strip("\0 "))
    if found:
        hours, minutes, seconds = map(float, found.groups())
        return hours * 3600 + minutes * 60 + seconds
    return _single(container)


def asf_end(container: Any, stream: Any, view: View) -> float | None:
    """The length of a file that has no other track, and is no recorded live stream: for those FFmpeg makes a guess."""
    del stream
    head = view.part(0, 8192)
    at = head.find(_ASF_PROPERTIES)
    return None if at >= 0 and (head[at + 88 : at + 89] or b"\0")[0] & 1 else _single(container)


def avi_end(container: Any, stream: Any, view: View) -> float | None:
    """The length of the track, which begins at 0."""
    del container, view
    return float(stream.duration * stream.time_base) if stream.duration and stream.frames < 1 << 30 else None


def check_avi(view: View, findings: Findings) -> list[Recording]:
    """Check that the first outermost chunk is complete, if its size is stated."""
    size = int.from_bytes(view.part(4, 4), "little")
    if size != 0xFFFF_FFFF and size + 8 > view.size:
        findings.damage(f"is cut short: it has {view.size} bytes of the {size + 8} that its header states")
    return [Recording(view)]


def _single(container: Any) -> float | None:
    """The length of the container, where it has one track."""
    return None if len(container.streams) > 1 or container.duration is None else float(container.duration / _TIME_BASE)
