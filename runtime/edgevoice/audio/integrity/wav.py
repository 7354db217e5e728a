"""The lengths in WAV, RF64 and BW64 files."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.integrity.lengths import compare, is_placeholder, states_nothing
from edgevoice.audio.integrity.mpeg import check_mpeg
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_MOST_CHUNKS = 10_000
_WRAP = 1 << 32


def check_wav(view: View, findings: Findings) -> list[Recording]:
    """Compare the length of the samples with the header, and correct it where its writer could not know it.

    Raises:
        AudioFormatError: the header states more than there is, or samples of less than 8 bits.
    """
    order = ">" if view.part(0, 4) == b"RIFX" else "<"
    long, block, coding = None, 1, 0
    for chunk, size, at in _chunks(view, 12, order):
        there = view.size - at
        if chunk == b"ds64":
            long = struct.unpack("<Q", view.part(at + 8, 8).ljust(8, b"\0"))[0], at + 8
        elif chunk == b"fmt ":
            coding, block, bits = struct.unpack(f"{order}H10xHH", view.part(at, 16).ljust(16, b"\0"))
            if coding == 1 and 0 < bits < 8:
                raise AudioFormatError(f"{findings.name}: has samples of {bits} bits, expected 8 or more")
        elif chunk == b"data" and coding in (0x50, 0x55):
            return check_mpeg(view.spliced([(at, at + min(size, there) if size else view.size)]), findings)
        elif chunk == b"data":
            if long and size == _WRAP - 1:
                if not 0 < long[0] < 1 << 62:
                    return [Recording(view.patched(long[1], struct.pack("<Q", there)))]
                compare(findings, long[0], there, block)
                return [Recording(view)]
            is_unset = size == 0 and there > 0 and not _are_chunks(view, at, order)
            if is_unset:
                states_nothing(findings)
            elif not is_placeholder(size, block):
                whole = size + (there - size) // _WRAP * _WRAP if there >= size else size
                if whole == size:
                    outer = struct.unpack(f"{order}I", view.part(4, 4))[0]
                    compare(findings, size - (size == there + 1 and outer + 8 <= view.size), there, block)
                    return [Recording(view)]
                there = whole  # its writer counted modulo 2^32
            if there < _WRAP:
                return [Recording(view.patched(at - 4, struct.pack(f"{order}I", there)) if size < there else view)]
            longer = struct.pack(
                "<4sI4s4sIQQQI", b"RF64", _WRAP - 1, b"WAVE", b"ds64", 28, view.size, there, there // block, 0
            )
            return [Recording(view.spliced([longer, (12, at - 4), b"\xff" * 4, (at, view.size)]))]
    return [Recording(view)]


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
        end = begin + size
        if not (chunk.isascii() and chunk.decode("ascii").isprintable()) or end > view.size:
            return False
    return view.size - end in (0, 1)
