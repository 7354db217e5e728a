"""Checks that FLAC files whose header does not state the length end with a complete frame."""

from __future__ import annotations

from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_LARGEST = 1 << 20
"""The number of bytes at the end that are searched for the last frame: more than a frame of speech or music takes."""


def _table(polynomial: int, bits: int) -> list[int]:
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (bits - 1) else 0)
            value &= (1 << bits) - 1
        table.append(value)
    return table


_CRC8, _CRC16 = _table(0x07, 8), _table(0x8005, 16)


def check_last_frame(view: View, name: str) -> None:
    """Raise AudioFormatError unless the header states the length, or the file ends with a complete frame."""
    head = view.part(0, 26)
    if head[:4] != b"fLaC" or int.from_bytes(head[21:26], "big") & 0xF_FFFF_FFFF:
        return
    end = view.part(max(0, view.size - _LARGEST), _LARGEST)
    if end[-128:-125] == b"TAG":
        end = end[:-128]
    at = len(end)
    while (at := end.rfind(b"\xff", 0, at)) >= 0:
        if end[at + 1 : at + 2] in (b"\xf8", b"\xf9") and _is_header(end, at) and _crc16(end, at) == 0:
            return
    raise AudioFormatError(f"{name}: is cut short within its last FLAC frame")


def _is_header(data: bytes, at: int) -> bool:
    """Whether the checksum of a frame header is right. All possible lengths of the header are tried."""
    value = 0
    for k, byte in enumerate(data[at : at + 16]):
        if k >= 5 and value == byte:
            return True
        value = _CRC8[value ^ byte]
    return False


def _crc16(data: bytes, at: int) -> int:
    value = 0
    for byte in memoryview(data)[at:]:
        value = (value << 8 & 0xFFFF) ^ _CRC16[value >> 8 ^ byte]
    return value
