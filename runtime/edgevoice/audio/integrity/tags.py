"""Tags that programs put before and behind the audio of any format: ID3, APE and Lyrics3."""

from __future__ import annotations

import struct

from edgevoice.audio.views import View

_MOST = 64
"""How many tags are looked for, one after the other."""


def tag_size(head: bytes) -> int:
    """The size in bytes of the tag that begins with these 32 bytes; 0 where none does."""
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) >= 24:
        size, _, flags = struct.unpack_from("<III", head, 12)
        return int(size) + 32 if flags & 0x2000_0000 else 32
    if head[:3] == b"TAG":
        return 227 if head[3:4] == b"+" else 128
    return 0


def without_tags_before(view: View) -> View:
    """The file behind the tags at its beginning."""
    at = 0
    for _ in range(_MOST):
        size = tag_size(view.part(at, 32))
        if not size or view.part(at, 3) == b"TAG":
            break
        at = min(at + size, view.size)
    return view.spliced([(at, view.size)]) if at else view


def without_tags_behind(view: View) -> View:
    """The file before the tags at its end."""
    end = view.size
    for _ in range(_MOST):
        size = _size_before(view, end)
        if not 0 < size <= end:
            break
        end -= size
    return view.spliced([(0, end)]) if end < view.size else view


def _size_before(view: View, end: int) -> int:
    """The size in bytes of the tag that ends here; 0 where there is none."""
    if end >= 128 and view.part(end - 128, 3) == b"TAG":
        return 128 + (227 if end >= 355 and view.part(end - 355, 4) == b"TAG+" else 0)
    tail = view.part(max(0, end - 32), min(32, end))
    if tail[:8] == b"APETAGEX" and len(tail) == 32:
        size, _, flags = struct.unpack_from("<III", tail, 12)
        return int(size) + (32 if flags & 0x8000_0000 else 0)
    if tail.endswith(b"LYRICS200") and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    if tail.endswith(b"LYRICSEND"):
        at = view.part(max(0, end - 5200), min(5200, end)).rfind(b"LYRICSBEGIN")
        return min(5200, end) - at if at >= 0 else 0
    if tail[-10:-7] == b"3DI":  # the footer of an ID3 tag
        size = tail[-4] << 21 | tail[-3] << 14 | tail[-2] << 7 | tail[-1]
        return size + 20
    return 0
