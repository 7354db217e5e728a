"""Reads MP3 files frame by frame: counts the frames, and finds where one recording is joined to the next."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from edgevoice.audio.mpegframes import FrameHeader, frame_header
from edgevoice.audio.parts import Part
from edgevoice.audio.views import Ahead, Piece, View
from edgevoice.errors import AudioFormatError

_TRAILING = 1 << 16
"""How many bytes without a frame may follow the last frame, as tags of unknown kinds do."""


_DELAY = 529
"""The delay of an MP3 decoder, in samples."""
_ENCODERS = (b"LAME", b"Lavf", b"Lavc")
"""Names at which an encoder's tag states how many samples to remove at both ends."""


@dataclass(slots=True)
class _Recording:
    header: FrameHeader
    first: bytes
    frames: int = 0
    promised: int | None = None
    size: int | None = None
    tagged: bool = False
    trusted: bool = False
    """Whether the tag states the number of frames and the samples to remove at both ends, so that decoders remove them."""
    places: list[int] = field(default_factory=list)
    """Positions of the number of frames and of the number of bytes in the tag; 0 where the tag lacks one."""
    ranges: list[list[int]] = field(default_factory=list)

    def add(self, at: int, size: int) -> None:
        if self.ranges and self.ranges[-1][1] == at:
            self.ranges[-1][1] = at + size
        else:
            self.ranges.append([at, at + size])


def mpeg_parts(view: View, name: str) -> list[Part]:
    """Return the recordings in an MP3 file; most files hold one.

    A recording without an encoder's tag, which states the number of frames, gets one: otherwise libsndfile guesses it.

    Raises:
        AudioFormatError: the file is damaged or cut short, or has no frame.
    """
    return [_part(view, recording, name) for recording in _recordings(view, name)]


def tag_size(view: View) -> int:
    """The size in bytes of the tag at the start of a file; 0 where there is none."""
    return _tag(Ahead(view), 0)


def _recordings(view: View, name: str) -> list[_Recording]:
    reader = Ahead(view)
    found: list[_Recording] = []
    current: _Recording | None = None
    at = 0
    while at < view.size:
        head = reader.part(at, 4)
        header = frame_header(head)
        if header is None or (current is None and not _starts(reader, at, header)):
            skipped = _tag(reader, at) or _resync(reader, at, name, current)
            at += skipped
            continue
        if at + header.size > view.size:
            raise AudioFormatError(f"{name}: is cut short: its last frame has {view.size - at} bytes of {header.size}")
        recording = _begins(reader, at, header, current)
        if recording is not None:
            current = recording
            found.append(current)
        elif current is not None:
            current.frames += 1
        if current is not None:
            current.add(at, header.size)
        at += header.size
    if not found:
        raise AudioFormatError(f"{name}: is not audio that can be read (no MPEG frame in it)")
    return [recording for recording in found if recording.frames or len(found) == 1]


def _begins(reader: Ahead, at: int, header: FrameHeader, current: _Recording | None) -> _Recording | None:
    """Begin a new recording where a frame does so."""
    frame = reader.part(at, min(header.size, 256))
    if header.layer == 3:
        tag = frame[header.side : header.side + 4]
        if tag in (b"Xing", b"Info"):
            place = header.side + 4
            flags = int.from_bytes(frame[place : place + 4], "big")
            fields = {}
            for bit in (1, 2):
                if flags & bit:
                    place += 4
                    fields[bit] = at + place, int.from_bytes(frame[place : place + 4], "big")
            count, size = (fields.get(bit, (0, 0))[1] or None for bit in (1, 2))
            trusted = count is not None and any(map(frame.__contains__, _ENCODERS))
            return _Recording(
                header, frame[:4], 0, count, size, True, trusted, [fields.get(bit, (0, 0))[0] for bit in (1, 2)]
            )
        if frame[36:40] == b"VBRI" and len(frame) >= 54:
            size, count = struct.unpack_from(">II", frame, 46)
            return _Recording(header, frame[:4], 0, count or None, size or None, True)
    if current is None or not header.alike(current.header):
        return _Recording(header, frame[:4], 1)
    if current.trusted and current.promised is not None and current.frames >= current.promised:
        return _Recording(header, frame[:4], 1)
    return None


def _part(view: View, recording: _Recording, name: str) -> Part:
    frames, promised = recording.frames, recording.promised
    size = sum(end - begin for begin, end in recording.ranges)
    if promised is not None and (
        frames + 1 < promised or (frames + 1 == promised and recording.size is not None and recording.size > size)
    ):
        # Some encoders count the frame of the tag itself: one that is missing is decided by the number of bytes.
        raise AudioFormatError(f"{name}: is cut short: it has {frames} frames of the {promised} that its header states")
    pieces: list[Piece] = [(begin, end) for begin, end in recording.ranges]
    if recording.trusted:
        # libmpg123 relies on the tag, and prints an error where it is wrong.
        begin, end = recording.ranges[0]
        corrected: list[Piece] = []
        for place, number in zip(recording.places, (frames, size), strict=True):
            if place:
                corrected += [(begin, place), struct.pack(">I", number)]
                begin = place + 4
        return Part(view.spliced([*corrected, (begin, end), *pieces[1:]]))
    samples = frames * recording.header.samples
    if recording.header.layer != 3:
        return Part(view.spliced(pieces), samples)
    if recording.tagged:
        begin, end = recording.ranges[0]
        pieces[0] = (begin + recording.header.size, end)
        size -= recording.header.size
    # Where a tag states the frames, libmpg123 removes the decoder's delay: a silent frame is added for that.
    silent = _silent(recording.first)
    pieces[:0] = [_counted(recording.first, frames + 1, size + len(silent)), silent]
    return Part(view.spliced(pieces), samples, recording.header.samples - _DELAY)


def _counted(first: bytes, frames: int, size: int) -> bytes:
    """Make a frame with a tag that states how many frames follow, from the header of the first of them."""
    header, told = _with_bits(first, 14)
    tag = b"Info" + struct.pack(">III", 3, frames, size + told.size)
    return (header + bytes(told.side - 4) + tag).ljust(told.size, b"\0")


def _silent(first: bytes) -> bytes:
    """The shortest frame that holds no sound, and no bits that later frames need."""
    header, told = next(pair for pair in (_with_bits(first, bits) for bits in range(1, 15)) if pair[1].size >= pair[1].side)
    return header.ljust(told.size, b"\0")


def _with_bits(first: bytes, bits: int) -> tuple[bytes, FrameHeader]:
    """Change the bit rate in a frame header; remove checksum and padding."""
    header = bytes([first[0], first[1] | 1, bits << 4 | first[2] & 0x0C, first[3]])
    told = frame_header(header)
    if told is None:
        raise AssertionError("a valid header with another bit rate is a valid header")
    return header, told


def _starts(reader: Ahead, at: int, header: FrameHeader) -> bool:
    """Whether a frame begins here: another frame must follow, unless the file ends after it."""
    if at + header.size >= reader.size:
        return at == 0 or at + header.size == reader.size
    following = frame_header(reader.part(at + header.size, 4))
    return (following is not None and following.alike(header)) or bool(_tag(reader, at + header.size))


def _tag(reader: Ahead, at: int) -> int:
    """The size in bytes of a tag at this position; 0 where there is none."""
    head = reader.part(at, 32)
    if head[:3] == b"ID3" and len(head) >= 10:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) >= 24:
        size, _, flags = struct.unpack_from("<III", head, 12)
        return int(size) + 32 if flags & 0x2000_0000 else 32
    if head[:3] == b"TAG" and reader.size - at >= 128:
        return 355 if head[3:4] == b"+" else 128
    return 0


def _resync(reader: Ahead, at: int, name: str, current: _Recording | None) -> int:
    """Bytes up to the next frame or tag, or to the end. In the middle of a recording, they are lost audio."""
    position = at + 1
    while position < reader.size and (current is not None or position - at <= _TRAILING):
        block = reader.part(position, 4096)
        candidates = [
            k for k in (block.find(0xFF), block.find(b"ID3"), block.find(b"APETAGEX"), block.find(b"TAG")) if k >= 0
        ]
        if not candidates:
            position += max(1, len(block) - 7)
            continue
        position += min(candidates)
        header = frame_header(reader.part(position, 4))
        if (header is not None and _starts(reader, position, header)) or _tag(reader, position):
            break
        position += 1
    position = min(position, reader.size)
    lost = reader.part(at, min(position - at, _TRAILING))
    if current is None and position - at > _TRAILING:
        raise AudioFormatError(f"{name}: is not audio that can be read (no MPEG frame in it)")
    padding = lost.count(0) == len(lost)
    if current is not None and not padding and (position < reader.size or position - at > _TRAILING):
        raise AudioFormatError(f"{name}: is damaged: {position - at} bytes at {at} are not MPEG frames")
    return position - at
