"""Reads Ogg files page by page: checks that all pages are there, and finds chained recordings."""

from __future__ import annotations

import struct
import zlib

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_FIRST, _LAST = 2, 4
_JUNK = 1 << 16
"""How many bytes may follow the last page."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check_ogg(view: View, findings: Findings) -> list[Recording]:
    """Find the recordings in an Ogg file; most files hold one.

    Raises:
        AudioFormatError: a page is damaged or missing, or the last one is.
    """
    begins: list[int] = []
    expected: dict[int, int] = {}  # number of the page that comes next, by stream
    at, pages = 0, []
    while at < view.size:
        head = view.part(at, 27 + 255)
        if head[:4] != b"OggS":
            if not expected and begins and view.size - at <= _JUNK:
                break  # a tag that some program put behind the end
            findings.damage(f"is damaged: no Ogg page at byte {at}")
            at = _next_page(view, at)
            continue
        size = 27 + head[26] + sum(head[27 : 27 + head[26]]) if len(head) >= 27 else 27
        page = view.part(at, size)
        if len(page) < size or len(head) < 27 + head[26]:
            findings.damage("is cut short within its last page")
            break
        flags, _, serial, number, checksum = struct.unpack_from("<BqIII", page, 5)
        if _checksum(page) != checksum:
            findings.damage(f"is damaged: the Ogg page at byte {at} has a wrong checksum")
            at = _next_page(view, at)
            continue
        if flags & _FIRST:
            if not expected:
                begins.append(len(pages))
            expected[serial] = number
        if number != expected.get(serial):
            findings.damage(f"is damaged: pages are missing before byte {at}")
        expected[serial] = number + 1
        if flags & _LAST:
            del expected[serial]
        pages.append((at, at + size))
        at += size
    if expected:
        findings.damage("is cut short: its last Ogg page is missing")
    if not begins:
        raise AudioFormatError(f"{findings.name}: is not audio that can be read (no Ogg page in it)")
    return [Recording(view.spliced(_joined(pages[a:b]))) for a, b in zip(begins, [*begins[1:], None], strict=True)]


def _next_page(view: View, at: int) -> int:
    """The position of the next page behind `at`; the end of the file where there is none."""
    while at < view.size:
        block = view.part(at + 1, 1 << 16)
        found = block.find(b"OggS")
        if found >= 0:
            return at + 1 + found
        at += max(1, len(block) - 3)
    return view.size


def _joined(pages: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ranges, with those that touch joined."""
    joined: list[tuple[int, int]] = []
    for begin, end in pages:
        if joined and joined[-1][1] == begin:
            begin = joined.pop()[0]
        joined.append((begin, end))
    return joined


def _checksum(page: bytes) -> int:
    """Compute the checksum of an Ogg page.

    zlib's CRC has the same polynomial, but takes bits in the opposite order and inverts both ends.
    """
    plain = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    return int(f"{zlib.crc32(plain, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)
