"""Media files: where they end, and where their audio track ends, which need not be where other tracks end."""

from __future__ import annotations

import re
from typing import Any

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_SEGMENT, _CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
_BLOCKS = (b"\xa3", b"\xa0", b"\xe7", b"\xec", b"\xbf", b"\xab", b"\xa7")
"""Elements in a cluster."""
_TIME_BASE = 1_000_000
"""FFmpeg's units of the length of a container, in a second."""


def mp4_end(container: Any, stream: Any, view: View) -> float | None:  # noqa: ARG001
    """The beginning of the track and its length."""
    if not stream.duration:
        return None
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base)


def matroska_end(container: Any, stream: Any, view: View) -> float | None:  # noqa: ARG001
    """What the track's tag says, else the length of a file that has no other track."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", "").strip("\0 "))
    if found:
        hours, minutes, seconds = map(float, found.groups())
        return hours * 3600 + minutes * 60 + seconds
    return _single(container)


def asf_end(container: Any, stream: Any, view: View) -> float | None:  # noqa: ARG001
    """The length of a file that has no other track, and is no recorded live stream: for those FFmpeg makes a guess."""
    head = view.part(0, 8192)
    at = head.find(_ASF_PROPERTIES)
    return None if at >= 0 and (head[at + 88 : at + 89] or b"\0")[0] & 1 else _single(container)


def avi_end(container: Any, stream: Any, view: View) -> float | None:  # noqa: ARG001
    """The length of the track, which begins at 0."""
    return float(stream.duration * stream.time_base) if stream.duration and stream.frames < 1 << 30 else None


def check_avi(view: View, findings: Findings) -> list[Recording]:
    """Check that the outermost chunk is complete, if its size is stated."""
    size = int.from_bytes(view.part(4, 4), "little")
    if size != 0xFFFF_FFFF and size + 7 > view.size:  # one byte more may be counted
        findings.damage(f"is cut short: it has {view.size} bytes of the {size + 8} that its header states")
    return [Recording(view)]


def check_asf(view: View, findings: Findings) -> list[Recording]:
    """Check that the object with the packets is complete: of a cut file FFmpeg adapts the length."""
    at = 0
    while (head := view.part(at, 24)) and len(head) == 24:
        size = int.from_bytes(head[16:], "little")
        if size < 24 or (size <= 50 and head[:4] == b"\x36\x26\xb2\x75"):
            break  # of a live stream: the packets follow their empty object
        at += size
        if at > view.size and head[:4] == b"\x36\x26\xb2\x75":
            findings.damage(f"is cut short: it has {view.size} bytes of {at}")
    return [Recording(view)]


def check_mp4(view: View, findings: Findings) -> list[Recording]:
    """Check that fragments follow each other: where one is damaged, FFmpeg may leave out all that follow."""
    at, parts, is_fragmented = 0, 0, False
    while (head := view.part(at, 16)) and len(head) >= 8:
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        parts += 1
        _limit(findings, parts, at, 12)
        is_fragmented |= head[4:8] == b"moof"
        if is_fragmented and not head[4:8].isalnum() and b"moof" in view.part(at, 1 << 22):
            findings.oddity(f"is damaged: no MP4 box at byte {at}; audio may be missing there")
        if size < 8:
            break
        at += size
    return [Recording(view)]


def check_matroska(view: View, findings: Findings) -> list[Recording]:
    """Check that a recorded live stream, which states no length, ends with a complete element."""
    at, parts, is_live = 0, 0, False
    while at < view.size:
        head = view.part(at, 12).ljust(12, b"\0")
        parts += 1
        _limit(findings, parts, at, 6)
        first = 9 - head[0].bit_length()
        second = 9 - head[first].bit_length() if first < 5 else 9
        if second > 8 or not (first == 4 or head[:1] in _BLOCKS):
            at = min(at, view.size)
            break  # a tag, or damage, which FFmpeg finds
        size = int.from_bytes(head[first : first + second], "big") & (1 << 7 * second) - 1
        at += first + second
        if size == (1 << 7 * second) - 1 and head[:4] in (_SEGMENT, _CLUSTER):
            is_live = True
        elif head[:4] == _SEGMENT:
            break
        else:
            at += size
    if is_live and at > view.size:
        findings.damage("is cut short within its last element")
    return [Recording(view)]


def _limit(findings: Findings, parts: int, at: int, least: int) -> None:
    """Refuse files of very many parts of fewer than `least` bytes: they take FFmpeg seconds, and hold nothing."""
    if parts > 1000 + at // least:
        raise AudioFormatError(f"{findings.name}: is damaged: it has {parts} parts in {at} bytes")


def _single(container: Any) -> float | None:
    """The length of the container, where it has one track."""
    return None if len(container.streams) > 1 or container.duration is None else float(container.duration / _TIME_BASE)
