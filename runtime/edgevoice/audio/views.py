"""What is read of a file, and what is found to be wrong with it."""

from __future__ import annotations

import os
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import IO, NamedTuple, cast

from edgevoice.errors import AudioFormatError, EdgeVoiceWarning

Piece = bytes | tuple[int, int] | int
"""Bytes that are not in the file, a range of positions of the file, or a number of bytes at which reading ends."""


class View:
    """Pieces of an open file, one after the other, read as if they were a file.

    Several views of a file can be read in turns: each has its own position. A failure to read looks like the end of the
    file and is kept for `check`, because libsndfile's callbacks cannot pass an exception on; so is a Ctrl-C.

    Views that are made from this one note failures in the same list. `path` is that of the file, where this is all of it.
    """

    def __init__(
        self, file: IO[bytes], pieces: Sequence[Piece], path: str | None = None, failures: list[BaseException] | None = None
    ) -> None:
        self._file, self._pieces, self._at, self._path = file, pieces, 0, path
        self._failures = [] if failures is None else failures
        sizes = (
            each if isinstance(each, int) else len(each) if isinstance(each, bytes) else each[1] - each[0] for each in pieces
        )
        *self._starts, self.size = accumulate((max(0, size) for size in sizes), initial=0)

    def again(self) -> View:
        """The same view, with its own position."""
        return View(self._file, self._pieces, self._path)

    def spliced(self, pieces: Sequence[Piece]) -> View:
        """A view of parts of this view, which must consist of one range of the file."""
        begin, _ = cast("tuple[int, int]", self._pieces[0])
        moved = [(begin + piece[0], begin + piece[1]) if isinstance(piece, tuple) else piece for piece in pieces]
        return View(self._file, moved, failures=self._failures)

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
            if isinstance(piece, int):
                break
            if isinstance(piece, bytes):
                data = piece[within : within + count]
            else:
                try:
                    self._file.seek(piece[0] + within)
                    data = self._file.read(min(count, piece[1] - piece[0] - within))
                except BaseException as error:  # noqa: BLE001 - `check` raises it
                    self._failures.append(error)
                    break
            if not data:
                break
            parts.append(data)
            at += len(data)
            count -= len(data)
        return b"".join(parts)

    def check(self, words: str) -> None:
        """Raise what came while the file was read: an AudioFormatError that begins with `words`, or a Ctrl-C."""
        for failure in self._failures:
            self._failures.clear()
            if isinstance(failure, OSError | ValueError | TypeError):
                raise AudioFormatError(f"{words} ({failure})") from failure
            raise failure


class Recording(NamedTuple):
    """What is to be read of a file, as a file of its own for the library that reads it."""

    view: View
    samples: int | None = None
    """The number of samples per channel that decoding must give, where it is known better than by the library."""
    lead: int = 0
    """The number of decoded samples before the recording that do not belong to it."""


class Findings:
    """Turns what is wrong with a file into an error, or, where all that is there is to be kept, into one warning."""

    def __init__(self, name: str, keep: bool = False) -> None:
        self.name, self.keep, self._kept = name, keep, False
        self._warned: set[str] = set()

    def damage(self, words: str, cause: Exception | None = None) -> None:
        """Raise AudioFormatError; or warn, the first time, where the rest is to be kept."""
        if not self.keep:
            raise AudioFormatError(f"{self.name}: {words}") from cause
        if not self._kept:
            self.oddity(f"{words}; what is there is kept")
        self._kept = True

    def oddity(self, words: str) -> None:
        """Warn, once, of something that may not be as it was meant."""
        if words not in self._warned:
            self._warned.add(words)
            warnings.warn(f"{self.name}: {words}", EdgeVoiceWarning, stacklevel=2)
