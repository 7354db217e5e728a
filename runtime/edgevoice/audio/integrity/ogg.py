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
    at = 0
    while at < view.size:
        head = view.part(at, 27 + 255)
        if head[:4] != b"OggS":
            if not expected and begins and view.size - at <= _JUNK:
                break  # a tag that some program put behind the end
            findings.damage(f"is damaged: no Ogg page at byte {at}")
            break
        size = 27 + head[26] + sum(head[27 : 27 + head[26]]) if len(head) >= 27 else 27
        page = view.part(at, size)
        if len(page) < size or len(head) < 27 + head[26]:
            findings.damage("is cut short within its last page")
            break
        flags, _, serial, number, checksum = struct.unpack_from("<BqIII", page, 5)
        if _checksum(page) != checksum:
            findings.damage(f"is damaged: the Ogg page at byte {at} has a wrong checksum")
            break
        if flags & _FIRST:
            if not expected:
                begins.append(at)
            expected[serial] = number
        if number != expected.get(serial):
            findings.damage(f"is damaged: pages are missing before byte {at}")
            break
        expected[serial] = number + 1
        if flags & _LAST:
            del expected[serial]
        at += size
    if expected and at >= view.size:
        findings.damage("is cut short: its last Ogg page is missing")
    if not begins:
        raise AudioFormatError(f"{findings.name}: is not audio that can be read (no Ogg page in it)")
    return [Recording(view.spliced([(a, b)])) for a, b in zip(begins, [*begins[1:], at], strict=True)]


def _checksum(page: bytes) -> int:
    """Compute the checksum of an Ogg page.

    zlib's CRC has the same polynomial, but takes bits in the opposite order and inverts both ends.
    """
    plain = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    return int(f"{zlib.crc32(plain, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)
