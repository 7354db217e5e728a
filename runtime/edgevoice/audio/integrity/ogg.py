"""Reads Ogg files page by page: libsndfile notices neither damaged pages nor that some are missing."""

from __future__ import annotations

import struct
import zlib

from edgevoice.audio.views import View

_FIRST, _LAST = 2, 4
_JUNK = 1 << 16  # how many bytes may follow the last page
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check_ogg(view: View) -> View | None:
    """Check that all pages are there; None for recordings one after the other, of which libsndfile reads the first only."""
    at = begins = 0
    expected: dict[int, int] = {}  # number of the page that comes next, by stream
    while at < view.size:
        head = view.part(at, 27 + 255).ljust(27, b"\0")
        size = 27 + head[26] + sum(head[27 : 27 + head[26]])
        page = view.part(at, size)
        if head[:4] != b"OggS" or len(page) < size:
            break
        flags, _, serial, number, checksum = struct.unpack_from("<BqIII", page, 5)
        if flags & _FIRST:
            begins += not expected
            expected[serial] = number
        if number != expected.get(serial) or _checksum(page) != checksum:
            view.findings.damage(f"is damaged: the Ogg page at byte {at} has a wrong number or checksum")
            return view.part_from(0, at)
        expected[serial] = number + 1
        if flags & _LAST:
            del expected[serial]
        at += len(page)
    if expected or not begins or view.size - at > _JUNK:  # a tag that some program put behind the end is none
        view.findings.damage(f"is damaged or cut short: an Ogg page is missing or incomplete at byte {at}")
    return view.part_from(0, at) if begins < 2 else None


def _checksum(page: bytes) -> int:
    """Zlib's CRC has the same polynomial, but takes bits in the opposite order and inverts both ends."""
    plain = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    return int(f"{zlib.crc32(plain, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)
