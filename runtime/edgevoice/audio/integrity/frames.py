"""Files that are rows of frames without a header: MP3, ADTS and AMR."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.integrity.tags import tag_size, without_tags_behind
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_BLOCK = 1 << 22
_LARGEST = 1 << 13
"""No frame has more bytes."""
_JUNK = 1 << 16
"""How many bytes that are no frames may stand before the first frame, and behind the last."""

Measure = Callable[[NDArray[np.uint8]], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]
"""Finds all headers in some bytes: their positions, the sizes of their frames, and the kinds of these: different numbers for
frames that cannot belong to one recording."""


class Run(NamedTuple):
    """Frames of one kind, one directly after the other."""

    begin: int
    end: int
    frames: int
    kind: int
    junk: int
    """Bytes before it that belong neither to a frame nor to a tag."""


def find_runs(view: View, measure: Measure, findings: Findings, frame: str) -> list[Run]:
    """Find the frames of a file, between the tags at its ends.

    Raises:
        AudioFormatError: there is no frame.
    """
    view = without_tags_behind(view)
    runs, is_cut = _walk(view, measure)
    if not runs or runs[0].junk > _JUNK:
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
    elif view.size - runs[-1].end > _JUNK:
        findings.damage(f"is damaged: {view.size - runs[-1].end} bytes at its end are no {frame}s")
    return runs


def _walk(view: View, measure: Measure) -> tuple[list[Run], bool]:
    """All runs, and whether the last frame is incomplete."""
    runs: list[Run] = []
    at = begin = count = junk = 0
    current = -1  # the kind of the run, if one goes on
    while at < view.size:
        data = np.frombuffer(view.part(at, _BLOCK + _LARGEST), np.uint8)
        if not len(data):
            break
        is_last = at + len(data) >= view.size
        sizes, kinds, starts = _headers(data, measure, is_last)
        k, limit = 0, len(data) if is_last else _BLOCK
        while k < limit:
            size = sizes[k]
            if size and kinds[k] == current:
                if k + size > len(data):
                    return [*runs, Run(begin, at + k, count, current, junk)], True
                k, count = k + size, count + 1
                continue
            if current >= 0:
                runs.append(Run(begin, at + k, count, current, junk))
                if is_last and len(data) - k < 8 and data[k] == 0xFF:  # a header that is cut
                    return runs, True
                current, junk = -1, 0
            following = bisect_left(starts, k)
            found = starts[following] if following < len(starts) else limit
            if found > k and (tag := tag_size(data[k : k + 32].tobytes())):
                k += tag
                continue
            junk += min(found, limit) - k
            k = found
            if k < limit:
                begin, count, current = at + k, 0, kinds[k]
        at += k
    if current >= 0:
        runs.append(Run(begin, min(at, view.size), count, current, junk))
    return runs, False


def _headers(data: NDArray[np.uint8], measure: Measure, is_last: bool) -> tuple[Any, Any, list[int]]:
    """Size and kind of the frame at each byte, 0 where none begins; and where one begins that another one follows."""
    places, found, kind = measure(data)
    sizes, kinds = np.zeros(len(data), np.int32), np.zeros(len(data), np.int32)
    sizes[places], kinds[places] = found, kind
    ends = places + found
    inside = ends < len(data)
    followed = ~inside if not is_last else ends == len(data)
    following = ends[inside]
    followed[inside] = (sizes[following] > 0) & (kinds[following] == kind[inside])
    if is_last:  # or a tag of a kind that is not known
        followed[inside] |= len(data) - following < 4
    return sizes.data, kinds.data, places[followed].tolist()


def check_adts(view: View, findings: Findings) -> list[Recording]:
    """Check that an AAC file is a row of complete ADTS frames."""
    runs = find_runs(view, _measure_adts, findings, "AAC frame")
    return [Recording(view.spliced([(run.begin, run.end) for run in runs]))]


def begins_with(measure: Measure, head: bytes) -> bool:
    """Whether these bytes begin with two frames of one recording: a signature of two bytes alone proves nothing."""
    if len(head) < 8 or head[0] != 0xFF:
        return False
    places, sizes, kinds = measure(np.frombuffer(head, np.uint8))
    return len(places) > 1 and places[0] == 0 and bool(((places == sizes[0]) & (kinds == kinds[0])).any())


def is_adts(head: bytes) -> bool:
    """Whether these bytes begin with two ADTS frames."""
    return begins_with(_measure_adts, head)


def _measure_adts(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    at = np.flatnonzero((data[:-6] == 0xFF) & (data[1:-5] & 0xF6 == 0xF0))
    size = (data[at + 3].astype(np.int64) & 3) << 11 | data[at + 4].astype(np.int64) << 3 | data[at + 5] >> 5
    kind = (data[at + 1].astype(np.int64) & 8) << 8 | data[at + 2] & 0xFC
    real = size > 9  # no frame is a header and hardly more
    return at[real], size[real], kind[real]


_AMR = {
    b"#!AMR\n": (12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0),
    b"#!AMR-WB\n": (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 0, 0, 0, 0, 0, 0),
}
"""Bytes that follow the first one of a frame, by its mode (3GPP TS 26.101 and 26.201)."""


def check_amr(view: View, findings: Findings) -> list[Recording]:
    """Check that an AMR file ends with a complete frame."""
    view = without_tags_behind(view)
    data = view.part(0, view.size)
    for magic, sizes in _AMR.items():
        if data.startswith(magic):
            at, begin = len(magic), 0
            while at < len(data):
                begin = at
                at += 1 + sizes[data[at] >> 3 & 15]
            if at > len(data):
                findings.damage(f"is cut short: its last AMR frame lacks {at - len(data)} bytes")
                return [Recording(view.spliced([(0, begin)]))]
    return [Recording(view)]
