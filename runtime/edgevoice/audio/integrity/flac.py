"""FLAC beyond what its header states: libFLAC stops at the number of samples there, and at the end of a first recording."""

from __future__ import annotations

import re

from edgevoice.audio.reading import View

_BLOCK = 1 << 22  # bytes that are searched at a time
_BEGIN = re.compile(rb"fLaC[\0\x80]\0\0\x22")
_MOST = 1000  # places where the last frame may begin


def check(view: View) -> View:
    """Compare the number of samples in the header with the end of the last frame: libFLAC stops at it.

    Nor does it read anything of a recording behind the first.
    """
    for at in range(4, view.size, _BLOCK):
        if second := _BEGIN.search(view.part(at, _BLOCK + 8)):
            view.findings.damage(f"joins recordings, at byte {at + second.start()}")
            return view.part_from(0, at + second.start())
    at, last, head = 4, 0, view.part(0, 42)
    while last < 0x80 and len(block := view.part(at, 4)) == 4:
        at, last = at + 4 + int.from_bytes(block[1:], "big"), block[0]
    # The headers of all frames have these bits in common.
    common, tail = view.part(at, 4), view.part(max(at, view.size - _BLOCK), _BLOCK)
    facts, place, end = int.from_bytes(head[21:26], "big"), len(tail), 0
    stated = facts & 0xF_FFFF_FFFF
    for _ in range(_MOST):
        place = tail.rfind(common[:2], 0, place)
        if end or place < 0 or not stated or common[:1] != b"\xff":
            break
        frame = tail[place : place + 16].ljust(16, b"\0")
        if frame[2] & 15 == common[2] & 15 and frame[3] & 15 == common[3] & 15:
            end = _end_of_frame(frame, int.from_bytes(head[8:10], "big"))
    if end <= stated:
        return view
    view.findings.oddity(f"its header states {stated} samples, and it has {end}: read to the end")
    return view.spliced([(0, 21), (facts - stated + end).to_bytes(5, "big"), (26, view.size)])


def _end_of_frame(frame: bytes, size: int) -> int:
    """The position of the sample behind a FLAC frame; 0 where its header is none. All blocks may be of one size."""
    ones = 8 - (frame[4] ^ 0xFF).bit_length()  # the number is coded as UTF-8 codes characters
    at, number, code = max(5, 4 + ones), frame[4] & 0x7F >> ones, frame[2] >> 4
    for byte in frame[5:at]:
        number = number << 6 | byte & 0x3F
    first = number if frame[1] & 1 else number * size
    if code in (6, 7):
        at, samples = at + code - 5, int.from_bytes(frame[at : at + code - 5], "big") + 1
    else:
        samples = 192 if code == 1 else 256 << code - 8 if code > 7 else 144 << code
    at += {12: 1, 13: 2, 14: 2}.get(frame[2] & 15, 0)
    checksum = 0
    for bit in range(8 * at):
        checksum = checksum << 1 ^ (frame[bit >> 3] << (bit & 7) & 0x80) << 1
        checksum ^= 0x107 * (checksum >> 8)
    return first + samples if checksum == frame[at] else 0
