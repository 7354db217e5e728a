"""Checks that containers which FFmpeg reads are complete: FFmpeg itself does not report that one is cut short."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from edgevoice.audio.views import Ahead, View
from edgevoice.errors import AudioFormatError

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_AMR = {
    b"#!AMR\n": (12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0),
    b"#!AMR-WB\n": (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 0, 0, 0, 0, 0, 0),
}


def check_boxes(view: View, name: str) -> None:
    """Raise AudioFormatError if the last box, page or frame ends after the end of the file."""
    reader = Ahead(view)
    head = reader.part(0, 16)
    walk: Callable[[Ahead], Iterator[int]] | None = None
    if head[:4] == b"\x1a\x45\xdf\xa3":
        walk = _matroska
    elif head[:4] == b"\x30\x26\xb2\x75":
        walk = _asf
    elif head[:5] == b"#!AMR":
        walk = _amr
    elif head[:1] == b"\xff":
        walk = _adts
    elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot"):
        walk = _mp4
    if walk is not None and any(end > view.size for end in walk(reader)):
        raise AudioFormatError(f"{name}: is cut short: its last part is incomplete")


def _mp4(reader: Ahead) -> Iterator[int]:
    """Ends of the boxes at the outermost level."""
    at = 0
    while at < reader.size:
        head = reader.part(at, 16)
        size = int.from_bytes(head[:4], "big")
        if len(head) < 8:
            yield at + 8
            return
        if size == 0:
            return  # up to the end
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        at += max(8, size)
        yield at


def _matroska(reader: Ahead) -> Iterator[int]:
    """Ends of the elements. An element of unknown size is searched for the elements inside it."""
    at = 0
    while at < reader.size:
        head = reader.part(at, 12)
        first = _length(head, 4)
        second = _length(head[first:], 8) if first else 0
        if not first or not second:
            yield at + 2 if at + 12 > reader.size else at
            return
        code = int.from_bytes(head[:first], "big")
        size = int.from_bytes(head[first : first + second], "big") & ((1 << 7 * second) - 1)
        at += first + second
        if size == (1 << 7 * second) - 1 and code in (_SEGMENT, _CLUSTER):
            continue
        at += size
        yield at
        if code == _SEGMENT:
            return


def _length(head: bytes, most: int) -> int:
    """The number of bytes that a number of variable length takes; 0 where it is invalid or incomplete."""
    if not head or not head[0]:
        return 0
    length = 9 - head[0].bit_length()
    return length if length <= min(most, len(head)) else 0


def _asf(reader: Ahead) -> Iterator[int]:
    """Ends of the objects at the outermost level."""
    at = 0
    while at + 24 <= reader.size:
        (size,) = struct.unpack("<Q", reader.part(at + 16, 8))
        if size < 24:
            return  # of a live stream
        at += size
        yield at


def _adts(reader: Ahead) -> Iterator[int]:
    """Ends of the frames."""
    at = 0
    while at < reader.size:
        head = reader.part(at, 7)
        if len(head) < 7 and head[:1] == b"\xff":
            yield at + 7
            return
        if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
            return  # a tag, or damage, which the decoder finds
        at += max(7, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5)
        yield at


def _amr(reader: Ahead) -> Iterator[int]:
    """Ends of the frames."""
    for magic, sizes in _AMR.items():
        if reader.part(0, len(magic)) == magic:
            at = len(magic)
            while at < reader.size:
                mode = reader.part(at, 1)
                if not mode:
                    return  # the file cannot be read there, which the decoder finds
                at += 1 + sizes[mode[0] >> 3 & 15]
                yield at
