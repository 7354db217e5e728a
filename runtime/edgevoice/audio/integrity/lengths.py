"""The lengths in W64, CAF, AU and NIST SPHERE files."""

from __future__ import annotations

import re
import struct

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_MOST_CHUNKS = 10_000
_PLACEHOLDERS = (0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF, 0x7FFF_F000, 0x7FFF_0000, 0x7F00_0000)
"""Lengths that programs write when they do not know it, because they write to a pipe: FFmpeg, arecord, SoX, GStreamer."""
_MARGIN = 64
"""How far, in bytes, a length may differ from one of these numbers: some programs subtract the size of the header."""
_UNKNOWN_64 = 1 << 62
_W64 = bytes.fromhex("f3acd3118cd100c04f8edb8a")


def is_placeholder(size: int, block: int = 1) -> bool:
    """Whether a length stands for one that is not known, to a block of bytes."""
    return any(abs(size - known) <= max(_MARGIN, block) for known in _PLACEHOLDERS)


def compare(findings: Findings, stated: int, there: int, block: int = 2) -> None:
    """Report missing samples: `stated` bytes in blocks of one sample of all channels. Some writers count a byte too many."""
    block = max(1, block)
    if stated // block > max(0, there) // block:
        findings.damage(f"is cut short: it has {max(0, there)} bytes of samples, fewer than the {stated} in its header")


def check_w64(view: View, findings: Findings) -> list[Recording]:
    """Compare the length in a W64 file, or write it there."""
    at = 40
    for _ in range(_MOST_CHUNKS):
        head = view.part(at, 24)
        if len(head) < 24:
            break
        (size,) = struct.unpack("<Q", head[16:])
        if head[:16] == b"data" + _W64:
            there = view.size - at
            if view.part(at + 24, 24) == view.part(0, 24):
                raise AudioFormatError(
                    f"{findings.name}: has two headers, as SoX writes W64 to a pipe: write it to a file instead"
                )
            if size >= _UNKNOWN_64 or (size <= 24 < there):
                if size < _UNKNOWN_64:
                    states_nothing(findings)
                whole, data = struct.pack("<Q", view.size), struct.pack("<Q", there)
                return [Recording(view.spliced([(0, 16), whole, (24, at + 16), data, (at + 24, view.size)]))]
            compare(findings, size, there)
            return [Recording(view.spliced([(0, at + size)]) if size < there else view)]
        at += max(24, (size + 7) // 8 * 8)
    return [Recording(view)]


def check_caf(view: View, findings: Findings) -> list[Recording]:
    """Compare the length in a CAF file, or write it there."""
    at = 8
    for _ in range(_MOST_CHUNKS):
        head = view.part(at, 12)
        if len(head) < 12:
            break
        (size,) = struct.unpack(">q", head[4:])
        there = view.size - at - 12
        if head[:4] == b"data":
            if size < 0 or (size == 0 and there > 4):
                if size == 0:
                    states_nothing(findings)
                return [Recording(view.patched(at + 4, struct.pack(">q", there)))]
            compare(findings, size, there)
            return [Recording(view if size <= there else view.patched(at + 4, struct.pack(">q", there)))]
        if size < 0:
            break
        at += 12 + size
    return [Recording(view)]


def check_au(view: View, findings: Findings) -> list[Recording]:
    """Compare the length in an AU file; 0 becomes the number for an unknown one."""
    head = view.part(0, 12).ljust(12, b"\0")
    offset, size = struct.unpack(">II" if head[:4] == b".snd" else "<II", head[4:])
    there = view.size - offset
    if size == 0 and there > 0:
        states_nothing(findings)
        return [Recording(view.patched(8, b"\xff" * 4))]
    if not is_placeholder(size):
        compare(findings, size, there)
    return [Recording(view)]


def check_nist(view: View, findings: Findings) -> list[Recording]:
    """Compare the length in a NIST SPHERE file."""
    head = view.part(0, 1 << 16)
    if head[8:16].strip().isdigit():
        offset = int(head[8:16])
        fields = dict(re.findall(r"(?m)^(\w+) -[irs]\d* (\S+)", head[:offset].decode("latin-1")))
        numbers = [fields.get(key, "") for key in ("sample_count", "channel_count", "sample_n_bytes")]
        if "shorten" not in fields.get("sample_coding", "") and all(number.isdecimal() for number in numbers):
            count, channels, size = map(int, numbers)
            end = offset + count * channels * size
            compare(findings, end - offset, view.size - offset)
            return [Recording(view.spliced([(0, end)]) if end < view.size else view)]
    return [Recording(view)]


def states_nothing(findings: Findings) -> None:
    """Warn that the samples go to the end of the file."""
    findings.oddity("its header states no samples, like that of an interrupted recording: read to the end")
