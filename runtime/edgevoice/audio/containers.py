"""Checks that containers which FFmpeg reads are complete: FFmpeg itself does not report that one is cut short."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from edgevoice.audio.ac3frames import SYNC, frame_size
from edgevoice.audio.views import Ahead, View
from edgevoice.errors import AudioFormatError

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_AMR = {
    b"#!AMR\n": (12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0),
    b"#!AMR-WB\n": (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 0, 0, 0, 0, 0, 0),
}
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_TS_PACKET = 188
_TS_SEARCHED = 4000
"""Packets at the end of a transport stream that are searched for the last beginning of each elementary stream."""


def check_complete(view: View, kind: str, name: str) -> None:
    """Check that no box, packet or frame ends after the end of the file.

    Args:
        view: the file.
        kind: its kind, one of `signatures.MEDIA`; nothing is known about the parts of others.
        name: the name for messages.

    Raises:
        AudioFormatError: the file is cut short, or cannot be read.
    """
    walk = _WALKS.get(kind)
    if walk is not None:
        short = any(end > view.size for end in walk(Ahead(view)))
        view.check(f"{name}: cannot be read")  # what cannot be read looks like the end
        if short:
            raise AudioFormatError(f"{name}: is cut short: its last part is incomplete")


def is_live_asf(view: View) -> bool:
    """Whether an ASF file is a recorded live stream, for which FFmpeg estimates the length."""
    head = view.part(0, 8192)
    at = head.find(_ASF_PROPERTIES)
    return at >= 0 and bool((head[at + 88 : at + 89] or b"\0")[0] & 1)


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
        if size < 24 or (size <= 50 and reader.part(at, 4) == b"\x36\x26\xb2\x75"):
            return  # of a live stream: the packets follow their empty object
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


def _ac3(reader: Ahead) -> Iterator[int]:
    """Ends of the frames."""
    at = 0
    while at < reader.size:
        head = reader.part(at, 6)
        if len(head) < 6 and SYNC.startswith(head[:2]):
            yield at + 6
            return
        size = frame_size(head)
        if size is None:
            return  # a tag, or damage, which the decoder finds
        at += size
        yield at


def _flv(reader: Ahead) -> Iterator[int]:
    """Ends of the tags; each is followed by its size."""
    at = int.from_bytes(reader.part(5, 4), "big") + 4
    while at < reader.size:
        head = reader.part(at, 4)
        at += 11 + int.from_bytes(head[1:], "big") + 4 if len(head) == 4 else 11
        yield at


def _transport_stream(reader: Ahead) -> Iterator[int]:
    """The end of the last packet, and those of the last parts of the elementary streams (ISO/IEC 13818-1)."""
    count, rest = divmod(reader.size, _TS_PACKET)
    if rest:
        yield reader.size - rest + _TS_PACKET
    missing: dict[int, int] = {}  # bytes of the last part of each stream that have not come yet
    for number in range(max(0, count - _TS_SEARCHED), count):
        packet = reader.part(number * _TS_PACKET, _TS_PACKET)
        if len(packet) < _TS_PACKET or packet[0] != 0x47:
            return  # damage, which the decoder finds
        stream = (packet[1] & 31) << 8 | packet[2]
        payload = packet[4 + (1 + packet[4] if packet[3] & 32 else 0) :] if packet[3] & 16 else b""
        if packet[1] & 64:
            missing.pop(stream, None)
            length = int.from_bytes(payload[4:6], "big")
            if payload[:3] == b"\0\0\1" and length:  # of video, the length may be left out
                missing[stream] = 6 + length
        if stream in missing:
            missing[stream] -= len(payload)
    yield reader.size + max(0, *missing.values(), 0)


def _program_stream(reader: Ahead) -> Iterator[int]:
    """Ends of the packets, between which the headers of packs have no length of their own (ISO/IEC 13818-1)."""
    at = 0
    while at < reader.size:
        head = reader.part(at, 14)
        if head[:3] != b"\0\0\1"[: len(head)]:
            return  # damage, which the decoder finds
        if head[3:4] == b"\xb9":
            return  # the end
        if head[3:4] == b"\xba":
            at += 14 + (head[13] & 7) if len(head) == 14 and head[4] & 64 else 12
        else:
            at += 6 + int.from_bytes(head[4:6], "big")
        yield at


def _avi(reader: Ahead) -> Iterator[int]:
    """Ends of the outermost chunks, of which large files have several. One of unknown size is searched for those in it."""
    at = 0
    while at < reader.size:
        head = reader.part(at, 8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] in (b"RIFF", b"LIST") and size in (0, 0xFFFF_FFFF):
            at += 12
        else:
            at += 8 + size + (size & 1)
            yield at - (size & 1)


def _realmedia(reader: Ahead) -> Iterator[int]:
    """Ends of the chunks."""
    at = 0
    while at < reader.size:
        head = reader.part(at, 8)
        size = int.from_bytes(head[4:], "big")
        if size < 8:
            return  # of a live stream, or the end
        at += size
        yield at - 10 if head[:4] == b"DATA" else at  # FFmpeg writes 10 too many


_WALKS: dict[str, Callable[[Ahead], Iterator[int]]] = {
    "mp4": _mp4,
    "matroska": _matroska,
    "asf": _asf,
    "adts": _adts,
    "amr": _amr,
    "ac3": _ac3,
    "flv": _flv,
    "avi": _avi,
    "real": _realmedia,
    "transport stream": _transport_stream,
    "program stream": _program_stream,
}
"""A function for each kind of file that gives the positions at which its parts end."""
