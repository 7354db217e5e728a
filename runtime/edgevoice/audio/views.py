"""Parts of open files, as files of their own."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from typing import IO, Any

_IN_MEMORY = 1 << 26
"""Bytes of a pipe that are kept in memory; what is longer goes to a temporary file."""


class View(io.RawIOBase):
    """Bytes of an open file from one position to another, read as if they were a file.

    Several views of a file can be read in turns: each has its own position. A failure to read is kept in `failure` and
    looks like the end of the file, because libsndfile's callbacks cannot pass an exception on.

    Args:
        file: open for reading, can be sought.
        begin: position of the first byte.
        end: position after the last byte; None is the end of the file.
    """

    def __init__(self, file: IO[bytes], begin: int = 0, end: int | None = None) -> None:
        self._file, self._begin, self._at = file, begin, 0
        if end is None:
            end = file.seek(0, os.SEEK_END)
        self.size = max(0, end - begin)
        self.failure: OSError | ValueError | None = None

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Position within the view."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; positions outside the view are those of its ends."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there is something."""
        target = memoryview(buffer).cast("B")
        data = self.part(self._at, len(target))
        target[: len(data)] = data
        self._at += len(data)
        return len(data)

    def part(self, at: int, count: int) -> bytes:
        """At most `count` bytes from a position of the view on: fewer only at its end."""
        count = min(count, self.size - at)
        parts: list[bytes] = []
        try:
            while count > 0:
                self._file.seek(self._begin + at)
                data = self._file.read(count)
                if not data:
                    break
                parts.append(data)
                at += len(data)
                count -= len(data)
        except (OSError, ValueError) as error:
            self.failure = error
        return b"".join(parts)


def spooled(pipe: IO[bytes]) -> IO[bytes]:
    """All that a pipe holds, as a file that can be sought."""
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by whoever asked
    shutil.copyfileobj(pipe, spool)
    spool.seek(0)
    return spool
