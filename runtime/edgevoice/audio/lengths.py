"""Compares the lengths that headers state with the actual sizes of files."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator

from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError, EdgeVoiceWarning

_MOST_CHUNKS = 10_000
_PLACEHOLDERS = (0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF, 0x7FFF_F000, 0x7FFF_0000, 0x7F00_0000)
"""Lengths that programs write when they do not know it, because they write to a pipe: FFmpeg, arecord, SoX, GStreamer."""
_MARGIN = 64
"""How far, in bytes, a length may differ from one of these numbers: some programs subtract the size of the header."""
_UNKNOWN_64 = 1 << 62
_W64 = struct.pack("<8B", 0xF3, 0xAC, 0xD3, 0x11, 0x8C, 0xD1, 0x00, 0xC0) + bytes([0x4F, 0x8E, 0xDB, 0x8A])


def checked_length(view: View, kind: str, name: str) -> View | None:
    """Return the file with its length corrected, if its writer did not know it; None where none was found.

    Warns:
        EdgeVoiceWarning: the header states no samples, but the file has some.

    Raises:
        AudioFormatError: the header states more than there is.
    """
    check = {"wav": _wav, "w64": _w64, "aiff": _aiff, "au": _au, "caf": _caf, "nist": _nist, "voc": _voc}.get(kind)
    return None if check is None else check(view, name)


def _wav(view: View, name: str) -> View | None:
    head = view.part(0, 12)
    order = ">" if head[:4] == b"RIFX" else "<"
    long, long_at, block = None, 0, 1
    for chunk, size, at in _chunks(view, 12, order):
        if chunk == b"ds64":
            long, long_at = struct.unpack("<Q", view.part(at + 8, 8).ljust(8, b"\0"))[0], at + 8
        elif chunk == b"fmt ":
            (block,) = struct.unpack(f"{order}H", view.part(at + 12, 2).ljust(2, b"\0"))
        elif chunk == b"data":
            there = view.size - at
            if long is not None and size == 0xFFFF_FFFF:
                if 0 < long < _UNKNOWN_64:
                    return _compare(view, name, long, there)
                return view.patched(long_at, struct.pack("<Q", there))
            if _is_placeholder(size, block):
                if there > size:
                    raise AudioFormatError(f"{name}: has {there} bytes of samples, more than a WAV header can state")
                return view
            if size == 0 and there and not _are_chunks(view, at, order):
                _warn(name)
                return view.patched(at - 4, struct.pack(f"{order}I", min(there, 0xFFFF_FFFF)))
            return _compare(view, name, size, there)
    return None


def mpeg_in_wav(view: View) -> View | None:
    """The MPEG frames inside a WAV file; None where it holds another encoding."""
    coded = False
    for chunk, size, at in _chunks(view, 12, "<"):
        if chunk == b"fmt ":
            coded = view.part(at, 2) in (b"\x50\0", b"\x55\0")
        elif chunk == b"data":
            return view.spliced([(at, min(at + size, view.size))]) if coded else None
    return None


def _w64(view: View, name: str) -> View | None:
    at = 40
    for _ in range(_MOST_CHUNKS):
        head = view.part(at, 24)
        if len(head) < 24:
            break
        size = struct.unpack("<Q", head[16:])[0]
        if head[:16] == b"data" + _W64:
            there = view.size - at - 24
            if view.part(at + 24, 24) == view.part(0, 24):
                raise AudioFormatError(f"{name}: has two headers, as SoX writes W64 to a pipe: write it to a file instead")
            if size >= _UNKNOWN_64:
                return view.spliced(
                    [
                        (0, 16),
                        struct.pack("<Q", view.size),
                        (24, at + 16),
                        struct.pack("<Q", there + 24),
                        (at + 24, view.size),
                    ]
                )
            if size <= 24 and there:
                _warn(name)
                return view.patched(at + 16, struct.pack("<Q", there + 24))
            return _compare(view, name, size - 24, there)
        at += max(24, (size + 7) // 8 * 8)
    return None


def _aiff(view: View, name: str) -> View | None:
    promised = None
    for chunk, size, at in _chunks(view, 12, ">"):
        if chunk == b"COMM":
            channels, frames, bits = struct.unpack(">HIH", view.part(at, 8).ljust(8, b"\0"))
            if size < 22 or view.part(at + 18, 4) in (b"NONE", b"sowt", b"twos"):
                promised = frames * channels * ((bits + 7) // 8)
        elif chunk == b"SSND":
            there = view.size - at
            (offset,) = struct.unpack(">I", view.part(at, 4).ljust(4, b"\0"))
            if _is_placeholder(size):
                return view
            if size == 0 and there > 8:
                _warn(name)
                return view
            _compare(view, name, size, there)
            if promised is not None and not _is_placeholder(promised):
                _compare(view, name, promised, there - 8 - offset)
            return view
    return None


def _au(view: View, name: str) -> View | None:
    head = view.part(0, 12)
    if len(head) < 12:
        return None
    order = ">" if head[:4] == b".snd" else "<"
    offset, size = struct.unpack(f"{order}II", head[4:])
    there = view.size - offset
    if _is_placeholder(size):
        return view
    if size == 0 and there > 0:
        _warn(name)
        return view.patched(8, b"\xff" * 4)
    return _compare(view, name, size, there)


def _caf(view: View, name: str) -> View | None:
    at = 8
    for _ in range(_MOST_CHUNKS):
        head = view.part(at, 12)
        if len(head) < 12:
            break
        (size,) = struct.unpack(">q", head[4:])
        there = view.size - at - 12
        if head[:4] == b"data":
            if size < 0:
                return view.patched(at + 4, struct.pack(">q", there))
            if size == 0 and there > 4:
                _warn(name)
                return view.patched(at + 4, struct.pack(">q", there))
            return _compare(view, name, size, there)
        if size < 0:
            break
        at += 12 + size
    return None


def _nist(view: View, name: str) -> View | None:
    head = view.part(0, 1 << 16)
    try:
        offset = int(head[8:16])
    except ValueError:
        return None
    text = head[:offset].decode("latin-1")
    fields = dict(re.findall(r"(?m)^(\w+) -[irs]\d* (\S+)", text))
    if "shorten" in fields.get("sample_coding", ""):
        return None
    try:
        count, channels, size = (int(fields[key]) for key in ("sample_count", "channel_count", "sample_n_bytes"))
    except (KeyError, ValueError):
        return None
    return _compare(view, name, count * channels * size, view.size - offset)


def _voc(view: View, name: str) -> View | None:
    (at,) = struct.unpack("<H", view.part(20, 2).ljust(2, b"\0"))
    while at < view.size:
        head = view.part(at, 4)
        if not head or not 1 <= head[0] <= 9:  # the end, or SoX's sizes, which are too small
            break
        size = int.from_bytes(head[1:4], "little")
        _compare(view, name, size, view.size - at - 4)
        at += 4 + size
    return view


def _chunks(view: View, at: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, size and position of the content of each chunk."""
    for _ in range(_MOST_CHUNKS):
        head = view.part(at, 8)
        if len(head) < 8:
            return
        (size,) = struct.unpack(f"{order}I", head[4:])
        yield head[:4], size, at + 8
        at += 8 + size + size % 2


def _are_chunks(view: View, at: int, order: str) -> bool:
    """Whether complete chunks with readable names follow up to the end of the file: then the file has no samples."""
    end = at
    for chunk, size, begin in _chunks(view, at, order):
        if not chunk.isascii() or not chunk.decode("ascii").isprintable():
            return False
        end = begin + size
        if end > view.size:
            return False
    return view.size - end in (0, 1)


def _is_placeholder(size: int, block: int = 1) -> bool:
    return size == 0xFFFF_FFFF or any(abs(size - told) <= max(_MARGIN, block) for told in _PLACEHOLDERS)


def _compare(view: View, name: str, promised: int, there: int) -> View:
    if promised > max(0, there):
        raise AudioFormatError(
            f"{name}: is cut short: it has {max(0, there)} bytes of samples, fewer than the {promised} in its header"
        )
    return view


def _warn(name: str) -> None:
    told = f"{name}: its header states no samples, like that of an interrupted recording: read to the end"
    warnings.warn(told, EdgeVoiceWarning, stacklevel=2)
