"""Parts of open files that can be read like files."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from typing import IO, Any

from edgevoice.errors import AudioFormatError

_IN_MEMORY = 1 << 26
"""Largest number of bytes of a pipe that are kept in memory; more go to a temporary file."""

_AHEAD = 1 << 20

Piece = bytes | tuple[int, int]
"""Bytes that are not in the file, or a range of positions of the file."""


class View(io.RawIOBase):
    """Pieces of an open file, one after the other, read as if they were a file.

    Several views of a file can be read in turns: each has its own position. A failure to read looks like the end of the
    file and is kept for `check`, because libsndfile's callbacks cannot pass an exception on; so is a Ctrl-C.

    Args:
        file: open for reading, can be sought.
        pieces: what the view consists of.
    """

    def __init__(self, file: IO[bytes], pieces: Sequence[Piece]) -> None:
        self._file, self._at = file, 0
        self._pieces = list(pieces)
        self._starts = [0]
        for piece in self._pieces:
            count = len(piece) if isinstance(piece, bytes) else max(0, piece[1] - piece[0])
            self._starts.append(self._starts[-1] + count)
        self.size = self._starts.pop()
        self._failure: OSError | ValueError | KeyboardInterrupt | None = None

    @classmethod
    def whole(cls, file: IO[bytes], begin: int = 0) -> View:
        """A view of the whole file from a position on."""
        return cls(file, [(begin, file.seek(0, os.SEEK_END))])

    def again(self) -> View:
        """The same view, with its own position."""
        return View(self._file, self._pieces)

    def spliced(self, pieces: Sequence[Piece]) -> View:
        """A view of parts of this view, which must consist of one piece."""
        ((origin, _),) = self._pieces
        if not isinstance(origin, int):
            raise TypeError("a view of bytes cannot be spliced")
        return View(self._file, [p if isinstance(p, bytes) else (origin + p[0], origin + p[1]) for p in pieces])

    def patched(self, at: int, content: bytes) -> View:
        """The same view, with other bytes at one position."""
        return self.spliced([(0, at), content, (at + len(content), self.size)])

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """The position within the view."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position; one before the view is moved to its first byte."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, as far as there are bytes."""
        try:
            target = memoryview(buffer).cast("B")
            data = self.part(self._at, len(target))
            target[: len(data)] = data
            self._at += len(data)
            return len(data)
        except KeyboardInterrupt as error:
            self._failure = error
            return 0

    def check(self, told: str) -> None:
        """Raise the error with which reading failed, if it failed.

        Args:
            told: the beginning of the message.

        Raises:
            AudioFormatError: the file could not be read.
            KeyboardInterrupt: Ctrl-C came while it was read.
        """
        if isinstance(self._failure, KeyboardInterrupt):
            raise self._failure
        if self._failure is not None:
            raise AudioFormatError(f"{told} ({self._failure})") from self._failure

    def part(self, at: int, count: int) -> bytes:
        """Read at most `count` bytes at a position of the view; fewer only at its end."""
        count = min(count, self.size - at)
        parts: list[bytes] = []
        while count > 0:
            k = bisect_right(self._starts, at) - 1
            piece, within = self._pieces[k], at - self._starts[k]
            if isinstance(piece, bytes):
                data = piece[within : within + count]
            else:
                data = self._read(piece[0] + within, min(count, piece[1] - piece[0] - within))
            if not data:
                break
            parts.append(data)
            at += len(data)
            count -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, at: int, count: int) -> bytes:
        try:
            self._file.seek(at)
            return self._file.read(count)
        except (OSError, ValueError) as error:
            self._failure = error
            return b""


class Ahead:
    """A view that is read in large blocks, for many small reads."""

    def __init__(self, view: View) -> None:
        self._view, self._at, self._block = view, 0, b""
        self.size = view.size

    def part(self, at: int, count: int) -> bytes:
        """Read as `View` does."""
        if not self._at <= at <= at + count <= self._at + len(self._block):
            self._at, self._block = at, self._view.part(at, max(count, _AHEAD))
        return self._block[at - self._at : at - self._at + count]


def spooled(pipe: IO[bytes]) -> IO[bytes]:
    """Read a whole pipe into a file that has positions."""
    # Loaded here: only pipes need them.
    import shutil
    import tempfile

    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by whoever asked
    shutil.copyfileobj(pipe, spool)
    spool.seek(0)
    return spool
