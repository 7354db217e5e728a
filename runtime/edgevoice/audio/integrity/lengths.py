"""The lengths in headers: WAV, RF64, AIFF, W64, CAF, AU, NIST SPHERE, AVI and ASF."""

from __future__ import annotations

import math
import re
import struct

from edgevoice.audio.integrity.frames import check_mpeg
from edgevoice.audio.reading import View
from edgevoice.errors import AudioFormatError

_MOST_CHUNKS = 10_000
_PLACEHOLDERS = (0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF, 0x7FFF_F000, 0x7FFF_0000, 0x7F00_0000)
"""Lengths that programs write when they do not know it, because they write to a pipe: FFmpeg, arecord, SoX, GStreamer."""
_MARGIN = 64  # bytes by which a length may differ from these: some programs subtract the size of the header
_UNKNOWN = 1 << 62
_NUMBER = re.compile("[1-9][0-9]{0,14}")  # in a header of text: what writes to a pipe states 0
_WRAP = 1 << 32
_LAYOUTS = {
    b"RIFF": (12, 4, "<I", 2),
    b"RIFX": (12, 4, ">I", 2),
    b"FORM": (12, 4, ">I", 2),
    b"riff": (40, 16, "<Q", 8),
    b"caff": (8, 4, ">q", 1),
}
"""Where the first chunk is, the size of names, the type of lengths, and what chunks are aligned to."""
_SECOND = (*_LAYOUTS, b"RF64", b"BW64", b"data", b"SSND")
"""What no chunk behind the samples is named."""


def check_chunks(view: View) -> View:
    """Check the length of the samples in files of chunks: WAV, RF64, AIFF, W64 and CAF."""
    at, width, code, step = _LAYOUTS.get(view.part(0, 4), _LAYOUTS[b"RIFF"])
    own = 24 if code == "<Q" else 0  # lengths in W64 count the head of the chunk
    ds64, coding, block, found = None, 0, 1, view
    has_samples = False
    for _ in range(_MOST_CHUNKS):
        head = view.part(at, width + struct.calcsize(code))
        if len(head) < width + struct.calcsize(code):
            break
        if has_samples and head[:4] in _SECOND:  # libsndfile reads one of them, or none
            view.findings.damage(f"joins recordings, at byte {at}")
            return view.part_from(0, at)
        (size,) = struct.unpack(code, head[width:])
        place, at = at + width, at + len(head)
        if head[:4] == b"ds64":
            ds64 = at + 8
        elif head[:4] == b"fmt " and width == 4:
            coding, block, bits = struct.unpack(f"{code[0]}H10xHH", view.part(at, 16).ljust(16, b"\0"))
            if coding in (1, 0xFFFE) and 0 < bits < 8:
                raise AudioFormatError(f"{view.findings.name}: has samples of {bits} bits, expected 8 or more")
        elif head[:4] in (b"data", b"SSND"):
            if coding in (0x50, 0x55):
                return check_mpeg(view.part_from(at, at + size if size else None))
            if view.part(at, 24) == view.part(0, 24):
                words = "as SoX writes W64 to a pipe: write it to a file instead"
                raise AudioFormatError(f"{view.findings.name}: has two headers, {words}")
            if size == 0 and view.part(at, 4) in (b"LIST", b"fact", b"id3 ", b"JUNK"):
                break  # it has no samples
            if ds64 and size == _WRAP - 1:
                place, code = ds64, "<Q"
                (size,) = struct.unpack(code, view.part(place, 8).ljust(8, b"\0"))
            found, has_samples = _settled(view, place, code, size - own, at, own, block), True
            if found is not view and not own:
                break
        if size < own:
            break
        at += size - own + -size % step
    return found


def _settled(view: View, place: int, code: str, size: int, at: int, own: int = 0, block: int = 1) -> View:
    """Compare a length of samples that begin at `at` with what is there, or write it at its place where it is not known."""
    there, is_short = max(0, view.size - at), code[1] == "I"
    is_placeholder = is_short and any(abs(size - known) <= max(_MARGIN, block) for known in _PLACEHOLDERS)
    if there > 4 and size in (0, -own):
        view.findings.oddity("its header states no samples, like that of an interrupted recording: read to the end")
    elif 0 <= size < _UNKNOWN and not is_placeholder:
        wraps = (there - size) // _WRAP if is_short and there >= size else 0  # its writer counted modulo 2^32
        if not wraps:
            _compare(view, size, there, block)
            # libsndfile takes what is behind the samples of W64 for samples.
            return view.part_from(0, at + size) if own and size < there else view
        there = size + wraps * _WRAP
    if not is_short or there < _WRAP or view.part(0, 4) != b"RIFF":
        known = struct.pack(code, min(there + own, _WRAP - 1) if is_short else there + own)
        return view.spliced([(0, place), known, (place + len(known), view.size)])
    count = there // max(1, block)
    head = struct.pack("<4sI4s4sIQQQI", b"RF64", _WRAP - 1, b"WAVE", b"ds64", 28, view.size, there, count, 0)
    return view.spliced([head, (12, place), b"\xff" * 4, (at, view.size)])


def _compare(view: View, stated: int, there: int, block: int = 2) -> None:
    """Report missing bytes, of blocks of one sample of all channels. Some writers count a byte too many."""
    if stated > there + 1 and stated // max(1, block) > there // max(1, block):
        view.findings.damage(f"is cut short: it has {there} bytes, fewer than the {stated} in its header")


def check_au(view: View) -> View:
    """Check the length in an AU file, which libsndfile does but for one that is 0."""
    code = ">I" if view.part(0, 4) == b".snd" else "<I"
    begin, size = struct.unpack(f"{code[0]}II", view.part(4, 8).ljust(8, b"\0"))
    return _alone(_settled(view, 8, code, size, begin), begin + size)


def check_nist(view: View) -> View:
    """Compare the length in a NIST SPHERE file."""
    head = view.part(0, 1 << 16)
    if head[8:16].strip().isdigit():
        offset = int(head[8:16])
        fields = dict(re.findall(r"(?m)^(\w+) -[irs]\d* (\S+)", head[:offset].decode("latin-1")))
        numbers = [fields.get(key, "") for key in ("sample_count", "channel_count", "sample_n_bytes")]
        if "shorten" not in fields.get("sample_coding", "") and all(map(_NUMBER.fullmatch, numbers)):
            end = offset + math.prod(map(int, numbers))
            _compare(view, end, view.size)
            return _alone(view, end).part_from(0, end)
    return view


def _alone(view: View, end: int) -> View:
    """Report a recording that follows another, of which libsndfile reads the first only."""
    if view.part(end, 4) == view.part(0, 4):
        view.findings.damage(f"joins recordings, at byte {end}")
    return view


def check_mp4(view: View) -> View:
    """Look for a second description of all tracks among the outermost boxes: FFmpeg reads what the first describes."""
    at = found = 0
    for _ in range(_MOST_CHUNKS):
        head = view.part(at, 16)
        found += head[4:8] == b"moov"
        if found > 1:
            view.findings.damage(f"joins recordings, at byte {at}")
        if found > 1 or len(head) < 16:
            break
        size = int.from_bytes(head[:4], "big")
        at += int.from_bytes(head[8:], "big") if size == 1 else max(size, 8) if size else view.size
    return view


def check_avi(view: View) -> View:
    """Check that the outermost chunks are complete, if their size is stated."""
    at = 0
    while at < view.size and (head := view.part(at, 8))[:4] == b"RIFF":
        size = int.from_bytes(head[4:], "little")
        at += 8 + size
        if size != 0xFFFF_FFFF:
            _compare(view, at, view.size)
    return view


def check_asf(view: View) -> View:
    """Check that the object with the packets, behind the one with the header, is complete: FFmpeg adapts the length."""
    begin = int.from_bytes(view.part(16, 8), "little")
    head = view.part(begin, 24)
    size = int.from_bytes(head[16:], "little")
    if head[:4] == b"\x36\x26\xb2\x75" and size > 50:  # a recorded live stream has an empty object
        _compare(view, begin + size, view.size)
    return view
