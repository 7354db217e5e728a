"""Reads Ogg files page by page: checks that all pages are there, and finds chained recordings."""

from __future__ import annotations

import struct
import zlib

from edgevoice.audio.parts import Part
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_FIRST, _LAST = 2, 4
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_parts(view: View, name: str) -> list[Part]:
    """Return the recordings in an Ogg file; most files hold one.

    Raises:
        AudioFormatError: a page is damaged or missing, or the last one is.
    """
    begins: list[int] = []
    opened: dict[int, int] = {}  # number of the page that comes next, by stream
    at, ended = 0, False
    while at < view.size:
        head = view.part(at, 27 + 255)
        if head[:4] != b"OggS":
            if ended and view.size - at <= 1 << 16:
                break  # a tag that some program put behind the end
            raise AudioFormatError(f"{name}: is damaged: no Ogg page at byte {at}")
        segments = head[26] if len(head) >= 27 else 255
        size = 27 + segments + sum(head[27 : 27 + segments])
        if len(head) < 27 + segments or at + size > view.size:
            raise AudioFormatError(f"{name}: is cut short within its last page")
        page = view.part(at, size)
        flags, _, serial, number, checksum = struct.unpack_from("<BqIII", page, 5)
        if _checksum(page) != checksum:
            raise AudioFormatError(f"{name}: is damaged: the Ogg page at byte {at} has a wrong checksum")
        if flags & _FIRST:
            if not opened:
                begins.append(at)
            opened[serial] = number
        if serial not in opened:
            raise AudioFormatError(f"{name}: is damaged: the Ogg page at byte {at} belongs to no stream")
        if number != opened[serial]:
            raise AudioFormatError(f"{name}: is damaged: {number - opened[serial]} pages are missing before byte {at}")
        opened[serial] = number + 1
        if flags & _LAST:
            del opened[serial]
        ended = not opened
        at += size
    if opened:
        raise AudioFormatError(f"{name}: is cut short: its last Ogg page is missing")
    return [Part(view.spliced([(a, b)])) for a, b in zip(begins, [*begins[1:], at], strict=True)]


def _checksum(page: bytes) -> int:
    """Compute the checksum of an Ogg page.

    zlib's CRC has the same polynomial, but takes bits in the opposite order and inverts both ends.
    """
    plain = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    return int(f"{zlib.crc32(plain, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)
