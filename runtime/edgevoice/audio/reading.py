"""How a recording is read: views of its bytes, what is found to be wrong with them, passes through its samples."""

from __future__ import annotations

import os
import warnings
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import AudioFormatError, EdgeVoiceWarning

_BLOCK = 1 << 16  # largest number of samples per channel that are read at a time

Piece = bytes | tuple[int, int] | int
"""Bytes that are not in the file, a range of positions of the file, or a number of bytes at which reading ends."""


class Findings:
    """Turns what is wrong with a file into an error, or, where all that is there is to be kept, into one warning."""

    def __init__(self, name: str, keep: bool = False) -> None:
        self.name, self.keep = name, keep
        self.failures: list[BaseException] = []
        """What came while the file was read, a Ctrl-C too: libsndfile's callbacks cannot pass an exception on."""
        self._warned: set[str] = set()

    def check(self, words: str = "cannot be read") -> None:
        """Raise the first of the failures: an AudioFormatError with these words, or a Ctrl-C."""
        for failure in self.failures:
            self.failures.clear()
            if isinstance(failure, OSError | ValueError | TypeError):
                raise AudioFormatError(f"{self.name}: {words} ({failure})") from failure
            raise failure

    def damage(self, words: str, cause: Exception | None = None) -> None:
        """Raise AudioFormatError; or warn, the first time, where the rest is to be kept."""
        if not self.keep:
            raise AudioFormatError(f"{self.name}: {words}") from cause
        self.oddity(f"{words}; what is there is kept", "damage")

    def damage_after(self, samples: int, cause: Exception | None = None) -> None:
        """The damage that a library reports, or that the end of its samples shows."""
        self.damage(f"is damaged or cut short after {samples} samples{f' ({reason(cause)})' if cause else ''}", cause)

    def oddity(self, words: str, kind: str | None = None) -> None:
        """Warn, once for all of a kind, of something that may not be as it was meant."""
        if (kind or words) not in self._warned:
            self._warned.add(kind or words)
            warnings.warn(f"{self.name}: {words}", EdgeVoiceWarning, stacklevel=2)


def reason(error: Exception) -> str:
    """The message of a library, to be put in brackets."""
    words = str(getattr(error, "strerror", None) or error).rsplit(": ", 1)[-1].strip().rstrip(".")
    if not words or "SF_INFO" in words or "internal" in words.lower():
        return "damaged"  # libsndfile reports an internal error where a header makes no sense
    return f"{words[0].lower()}{words[1:]}"


class View:
    """Pieces of an open file, one after the other, read as if they were a file; a failure to read looks like its end.

    Several views of a file can be read in turns: each has its own position. `path` is given where this is all of a file.
    """

    samples: int | None = None  # per channel, that decoding must give, where it is known better than by the library
    lead = 0  # decoded samples before the recording that do not belong to it

    def __init__(self, file: IO[bytes], pieces: Sequence[Piece], findings: Findings, path: str | None = None) -> None:
        self._file, self._pieces, self.findings, self._path, self._at = file, pieces, findings, path, 0
        sizes = (
            each if isinstance(each, int) else len(each) if isinstance(each, bytes) else each[1] - each[0] for each in pieces
        )
        *self._starts, self.size = accumulate((max(0, size) for size in sizes), initial=0)

    def spliced(self, pieces: Sequence[Piece]) -> View:
        """A view of parts of this view, which must consist of one range of the file."""
        begin, _ = cast("tuple[int, int]", self._pieces[0])
        moved = [(begin + piece[0], begin + piece[1]) if isinstance(piece, tuple) else piece for piece in pieces]
        return View(self._file, moved, self.findings)

    def part_from(self, begin: int, end: int | None = None) -> View:
        """The view from one position to another, or to its end."""
        end = self.size if end is None else min(end, self.size)
        return self if (begin, end) == (0, self.size) else self.spliced([(begin, end)])

    def native_path(self) -> str | None:
        """A path at which this file, and no other that took its place, can be opened; None where there is none."""
        try:
            found = self._path is not None and os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno()))  # noqa: PTH116
        except (OSError, ValueError):
            return None
        return self._path if found else None

    def tell(self) -> int:
        """The position within the view."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position; one before the view is moved to its first byte."""
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence])
        return self._at

    def read(self, count: int = -1, /) -> bytes:
        """The next bytes, as far as there are some."""
        data = self.part(self._at, self.size if count < 0 else count)
        self._at += len(data)
        return data

    def part(self, at: int, count: int) -> bytes:
        """Read at most `count` bytes at a position of the view; fewer only at its end, or where reading fails."""
        count, parts = min(count, self.size - at), []
        while count > 0:
            k = bisect_right(self._starts, at) - 1
            piece, within = self._pieces[k], at - self._starts[k]
            data = b""  # where reading ends
            if isinstance(piece, bytes):
                data = piece[within : within + count]
            elif isinstance(piece, tuple):
                try:
                    self._file.seek(piece[0] + within)
                    data = self._file.read(min(count, piece[1] - piece[0] - within))
                except BaseException as error:  # noqa: BLE001 - the findings' check raises it
                    self.findings.failures.append(error)
            if not data:
                break
            parts.append(data)
            at += len(data)
            count -= len(data)
        return b"".join(parts)


def read_waiting(pipe: IO[bytes], read: Callable[[int], bytes | None], count: int) -> bytes:
    """Read at most `count` bytes, at least one before the end, also where the pipe was set not to wait for them."""
    while not (chunk := read(count)):
        try:
            if os.get_blocking(pipe.fileno()):
                break
            os.set_blocking(pipe.fileno(), True)
        except (AttributeError, OSError, ValueError):  # no pipe of the system's
            break
    return chunk or b""


class Decoder:
    """One pass through the samples of a recording: its position, and the last blocks that it gave."""

    rate = channels = 0
    length: int | None = None
    """Samples per channel; None where they are not known before reading. Media files state it in other units."""

    def __init__(self) -> None:
        self.at = 0  # samples per channel that were read
        self._recent: deque[tuple[int, NDArray[Any]]] = deque()

    def read(self, count: int) -> NDArray[Any]:
        """About the next `count` samples, (samples, channels); none at the end."""
        raise NotImplementedError

    def seek(self, at: int) -> bool:  # noqa: ARG002
        """Go on at a position; False where that would not give the same samples as reading up to it."""
        return False

    def close(self) -> None:
        """Close what the decoder opened."""

    def reaches(self, first: int) -> bool:
        """Whether the samples from `first` on can still be had, by seeking if that is exact."""
        if first != self.at and self.seek(first):
            self.at = first
            self._recent.clear()
        return first >= (self._recent[0][0] if self._recent else self.at)

    def blocks(self, first: int, last: int, keep: int) -> Iterator[NDArray[Any]]:
        """The samples first..last, of which at least the last `keep` can be had again."""
        recent = deque(self._recent)
        while recent or self.at < last:
            if recent:
                at, block = recent.popleft()
            else:
                at, block = self.at, self.read(min(_BLOCK, last - self.at))
                if not len(block):
                    break
                self.at += len(block)
                self._recent.append((at, block))
                while self.at - self._recent[0][0] > keep + len(block):
                    self._recent.popleft()
            begin, end = max(0, first - at), min(len(block), last - at)
            if begin < end:
                yield block[begin:end]


class ArrayDecoder(Decoder):
    """Samples in memory, (samples,) or (samples, channels)."""

    def __init__(self, samples: NDArray[np.float32], rate: int) -> None:
        super().__init__()
        self._samples = samples.reshape(-1, 1) if samples.ndim == 1 else samples
        self.rate, (self.length, self.channels) = rate, self._samples.shape

    def read(self, count: int) -> NDArray[np.float32]:
        """The next samples."""
        return self._samples[self.at : self.at + count]
