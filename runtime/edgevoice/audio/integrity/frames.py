"""Files that are rows of frames or pages, of which libsndfile guesses the length or notices no holes: MP3, ADTS and Ogg."""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.reading import Piece, View
from edgevoice.errors import AudioFormatError

_BLOCK = 1 << 22
JUNK = 1 << 16
"""How many bytes that are no frames may stand before the first frame, and behind the last."""

_KILOBITS = {
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
"""Bit rates by version, 3 for MPEG 1, and layer."""
_LOW_KILOBITS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # those of versions 2 and 2.5
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_DELAY = 529  # the delay of an MP3 decoder, in samples
_LONGER = 64  # how much longer a file claims to be: bit rates of one file differ by 40 at most
_ENCODERS = (b"LAME", b"Lavf", b"Lavc")  # that state how many samples to remove at both ends

_OGG_FIRST, _OGG_LAST = 2, 4  # flags of pages
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

Ints = NDArray[np.int64]
Measure = Callable[[NDArray[np.uint8]], tuple[Ints, Ints, Ints]]
"""Finds all headers in some bytes: their positions, the sizes of their frames, and the kinds of these: different numbers for
frames that cannot belong to one recording."""


class _Run(NamedTuple):
    """Frames of one kind, one directly after the other."""

    begin: int
    end: int
    frames: int
    kind: int
    junk: int  # bytes before it that belong neither to a frame nor to a tag


def behind_tags(view: View, at: int = 0) -> int:
    """Where the tags end that begin at a position, as programs put them around the audio."""
    while at < view.size:
        head = view.part(at, 32)
        if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
            at += head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            at += 20 if head[5] & 0x10 else 10
        elif head[:8] == b"APETAGEX" and len(head) >= 24:
            size, _, flags = struct.unpack_from("<III", head, 12)
            at += size + 32 if flags & 0x2000_0000 else 32
        elif head[:3] == b"TAG":
            at += 227 if head[3:4] == b"+" else 128
        else:
            break
    return min(at, view.size)


def find_runs(view: View, measure: Measure) -> tuple[list[_Run], int, bool]:
    """Find the frames of a file, how many bytes behind the last are no tags, and whether the last is incomplete."""
    found: list[tuple[Ints, Ints, Ints]] = []
    for at in range(0, max(1, view.size), _BLOCK):
        place, size, kind = measure(np.frombuffer(view.part(at, _BLOCK + 8), np.uint8))
        inside = np.searchsorted(place, _BLOCK)
        found.append((place[:inside] + at, size[:inside], kind[:inside]))
    place, size, kind = map(np.concatenate, zip(*found, strict=True))
    if not len(place):
        return [], 0, False
    end = place + size
    after = np.minimum(np.searchsorted(place, end), len(place) - 1)
    goes_on = (place[after] == end) & (kind[after] == kind)
    # A frame alone begins a run at the end of the file only, or before a few bytes: it shows a hole before it.
    first = np.flatnonzero(goes_on | ((end <= view.size) & (end > view.size - 4)))
    follow, starts, begins = np.where(goes_on, after, -1).tolist(), first.tolist(), place[first].tolist()
    runs: list[_Run] = []
    at, is_cut = behind_tags(view), False
    while not is_cut and (k := bisect_left(begins, at)) < len(begins):
        frame, count = starts[k], 1
        while follow[frame] >= 0:
            frame, count = follow[frame], count + 1
        last = int(end[frame])
        if last > view.size:
            is_cut, last, count = True, int(place[frame]), count - 1
        runs.append(_Run(begins[k], last, count, int(kind[frame]), begins[k] - at))
        is_cut = is_cut or (0 < view.size - last < 8 and view.part(last, 1) == b"\xff")  # a header that is cut
        at = behind_tags(view, last)
    return runs, view.size - at, is_cut


def _checked(view: View, measure: Measure, frame: str) -> list[_Run]:
    (runs, rest, is_cut), findings = find_runs(view, measure), view.findings
    if not runs or runs[0].junk > JUNK:
        raise AudioFormatError(f"{findings.name}: is not audio that can be read (no {frame} in it)")
    for run, following in pairwise(runs):
        if following.junk:
            findings.damage(f"is damaged: {following.junk} bytes at {run.end} are no {frame}s")
        if run.kind != following.kind:
            findings.damage(f"joins recordings of different rates or channels, at byte {following.begin}")
            runs = [each for each in runs if each.kind == runs[0].kind]
            break
    if is_cut:
        findings.damage(f"is cut short: its last {frame} is incomplete")
    elif rest > JUNK:
        findings.damage(f"is damaged: {rest} bytes at its end are no {frame}s")
    return runs


def begins_with(measure: Measure, head: bytes) -> bool:
    """Whether these bytes begin with two frames of one recording: a signature of two bytes alone proves nothing."""
    if len(head) < 8 or head[0] != 0xFF:
        return False
    places, sizes, kinds = measure(np.frombuffer(head, np.uint8))
    return len(places) > 1 and places[0] == 0 and bool(((places == sizes[0]) & (kinds == kinds[0])).any())


def check_adts(view: View) -> View:
    """Check that an AAC file is a row of complete ADTS frames."""
    return view.spliced([(run.begin, run.end) for run in _checked(view, measure_adts, "AAC frame")])


def measure_adts(data: NDArray[np.uint8]) -> tuple[Ints, Ints, Ints]:
    """Find the headers of ADTS frames."""
    at = np.flatnonzero((data[:-6] == 0xFF) & (data[1:-5] & 0xF6 == 0xF0))
    size = (data[at + 3].astype(np.int64) & 3) << 11 | data[at + 4].astype(np.int64) << 3 | data[at + 5] >> 5
    kind = (data[at + 1].astype(np.int64) & 8) << 8 | data[at + 2] & 0xFC
    real = size > 9  # no frame is a header and hardly more
    return at[real], size[real], kind[real]


def _frame_header(data: bytes) -> tuple[int, int, int]:
    """What four bytes say: bytes of the frame, 0 where this is no header; samples that it decodes to; where a tag begins."""
    version, layer = data[1] >> 3 & 3, 4 - (data[1] >> 1 & 3)
    bits, at, mono = data[2] >> 4, data[2] >> 2 & 3, data[3] >> 6 == 3
    if version == 1 or layer not in (2, 3) or bits in (0, 15) or at == 3:
        return 0, 0, 0
    kilobits = _KILOBITS.get((version, layer), _LOW_KILOBITS)[bits - 1]
    samples = 576 if layer == 3 and version != 3 else 1152
    size = samples // 8 * kilobits * 1000 // _RATES[version][at] + (data[2] >> 1 & 1)
    return size, samples, 4 + ((17 if mono else 32) if version == 3 else (9 if mono else 17))


def measure_mpeg(data: NDArray[np.uint8]) -> tuple[Ints, Ints, Ints]:
    """Find the headers of MPEG frames."""
    at = np.flatnonzero((data[:-3] == 0xFF) & (data[1:-2] >= 0xE0))
    code = data[at + 1].astype(np.int64) << 8 | data[at + 2]
    values, which = np.unique(code, return_inverse=True)
    sizes = [_frame_header(bytes([0xFF, value >> 8, value & 255, 0]))[0] for value in values.tolist()]
    size = np.array(sizes, np.int64)[which]
    kind = (code & 0x1E0C) << 1 | (data[at + 3] >> 6 == 3)
    return at[size > 0], size[size > 0], kind[size > 0]


def check_mpeg(view: View) -> View:
    """Count the frames, and compare their number with the one that an encoder's tag states.

    libmpg123 reads as many frames as a tag states, or as it guesses from the size of the file. So it gets the frames without
    the tag, in a file that claims to be longer, and reads to the end.
    """
    runs = _checked(view, measure_mpeg, "MPEG frame")
    pieces: list[Piece] = [(run.begin, run.end) for run in runs]
    count, size = sum(run.frames for run in runs), sum(run.end - run.begin for run in runs)
    first, lead, tail = view.part(runs[0].begin, 256).ljust(256, b"\0"), 0, 0
    frame, samples, place = _frame_header(first)
    if tag := _tag(first, place):
        pieces[0] = (runs[0].begin + frame, runs[0].end)
        count -= 1
        promised, promised_size, lead, tail = tag
        if count + 1 < promised or (count + 1 == promised and promised_size > size):
            # Some encoders count the frame of the tag itself: one that is missing is decided by the number of bytes.
            view.findings.damage(f"is cut short: it has {count} frames of the {promised} that its header states")
    longer = view.spliced([*pieces, size * _LONGER, bytes(128)])  # where a tag would be is looked at
    longer.samples, longer.lead = max(0, count * samples - lead - tail), lead
    return longer


def _tag(first: bytes, place: int) -> tuple[int, int, int, int] | None:
    """Frames, their bytes, samples before and behind the recording, as an encoder's tag states them; 0 if it does not."""
    if first[place : place + 4] in (b"Xing", b"Info"):
        flags, *numbers = struct.unpack_from(">III", first, place + 4)
        count = numbers.pop(0) if flags & 1 else 0
        size = numbers.pop(0) if flags & 2 else 0
        place += 16 - 4 * len(numbers) + (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
        if first[place : place + 4] not in _ENCODERS:
            return count, size, 0, 0
        delays = int.from_bytes(first[place + 21 : place + 24], "big")
        return count, size, (delays >> 12) + _DELAY, max(0, (delays & 0xFFF) - _DELAY)
    if first[36:40] == b"VBRI":
        size, count = struct.unpack_from(">II", first, 46)
        return count, size, 0, 0
    return None


def check_ogg(view: View) -> View | None:
    """Check that all pages are there; None for recordings one after the other, of which libsndfile reads the first only."""
    at = begins = 0
    expected: dict[int, int] = {}  # number of the page that comes next, by stream
    while at < view.size:
        head = view.part(at, 27 + 255).ljust(27, b"\0")
        size = 27 + head[26] + sum(head[27 : 27 + head[26]])
        page = view.part(at, size)
        if head[:4] != b"OggS" or len(page) < size:
            break
        flags, _, serial, number, checksum = struct.unpack_from("<BqIII", page, 5)
        if flags & _OGG_FIRST:
            begins += not expected
            expected[serial] = number
        if number != expected.get(serial) or _checksum(page) != checksum:
            view.findings.damage(f"is damaged: the Ogg page at byte {at} has a wrong number or checksum")
            return view.part_from(0, at)
        expected[serial] = number + 1
        if flags & _OGG_LAST:
            del expected[serial]
        at += len(page)
    if expected or not begins or view.size - at > JUNK:  # a tag that some program put behind the end is none
        view.findings.damage(f"is damaged or cut short: an Ogg page is missing or incomplete at byte {at}")
    return view.part_from(0, at) if begins < 2 else None


def _checksum(page: bytes) -> int:
    """Zlib's CRC has the same polynomial, but takes bits in the opposite order and inverts both ends."""
    plain = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    return int(f"{zlib.crc32(plain, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)
