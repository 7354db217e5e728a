"""FLAC files whose header states no length, or one that is too small: the last frame says where it ends (RFC 9639)."""

from __future__ import annotations

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.views import View

_WINDOW = 1 << 16
"""Bytes at the end, besides those of the largest frame, that are searched for the last frame."""
_LARGEST = 1 << 20
"""The largest frame, where the header does not state it."""
_BLOCKS = {1: 192, **{k: 576 << k - 2 for k in range(2, 6)}, **{k: 256 << k - 8 for k in range(8, 16)}}


def check_flac(view: View, findings: Findings) -> list[Recording]:  # noqa: ARG001 - libsndfile finds what is damaged
    """Correct the length in the header: reading to it finds out whether the last frame is complete."""
    head = view.part(0, 42)
    if len(head) < 42 or head[:4] != b"fLaC":
        return [Recording(view)]
    stated = int.from_bytes(head[21:26], "big") & 0xF_FFFF_FFFF
    length = _end_of_last_frame(view, head)
    if length is None or length <= stated:
        return [Recording(view)]
    number = (int.from_bytes(head[21:26], "big") >> 36 << 36 | length).to_bytes(5, "big")
    return [Recording(view.patched(21, number + bytes(16)))]  # without the sum of all samples


def _end_of_last_frame(view: View, head: bytes) -> int | None:
    """The position of the sample behind the last frame; None where no frame is found."""
    at = 4
    while (block := view.part(at, 4)) and len(block) == 4:
        at += 4 + int.from_bytes(block[1:], "big")
        if block[0] & 0x80:
            break
    first = view.part(at, 4)
    if len(first) < 4 or first[0] != 0xFF:
        return None
    largest = int.from_bytes(head[15:18], "big") or _LARGEST
    begin = max(at, view.size - largest - _WINDOW)
    end = view.part(begin, view.size - begin)
    place = len(end)
    cut = 0
    while (place := end.rfind(first[:2], 0, place)) >= 0:
        header = end[place : place + 16]
        if 3 <= len(header) <= 5 and header[2] & 15 == first[2] & 15:
            cut = 1  # it has been cut, so there is at least a sample that cannot be read
        # Frames of one file agree in all but the size of their block and what their channels hold.
        if len(header) > 5 and header[2] & 15 == first[2] & 15 and header[3] & 15 == first[3] & 15:
            length = _end_of_frame(header, int.from_bytes(head[8:10], "big"))
            if length is not None:
                return length + cut
    return None


def _end_of_frame(header: bytes, block: int) -> int | None:
    """The position of the sample behind a frame; None where its header is none.

    Args:
        header: of the frame, and some bytes more.
        block: samples of the blocks, where all are of one size.
    """
    ones = 8 - (header[4] ^ 0xFF).bit_length()  # the number is coded as UTF-8 codes characters
    more = max(0, ones - 1)
    if ones in (1, 8):
        return None
    number = header[4] & (0x7F >> ones)
    for byte in header[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    at, code = 5 + more, header[2] >> 4
    if code in (6, 7):
        size = int.from_bytes(header[at : at + code - 5], "big") + 1
        at += code - 5
    elif code in _BLOCKS:
        size = _BLOCKS[code]
    else:
        return None
    at += {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if at >= len(header) or _crc8(header[:at]) != header[at]:
        return None
    return (number if header[1] & 1 else number * block) + size


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if value & 0x80 else value << 1
    return value
