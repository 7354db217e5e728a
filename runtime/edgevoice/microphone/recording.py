"""The recording of a microphone as a WAV file, which goes on as RF64 beyond 4 GiB."""

from __future__ import annotations

import os
import struct
import weakref
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, OutputError
from edgevoice.files import Draft, writing

_UNKNOWN = (1 << 32) - 1  # stands for an unknown size in WAV, and for one that `ds64` states in RF64
_HEADER = 80
_CHUNK = 1 << 16


def check_recording(path: str | os.PathLike[str]) -> None:
    """Raise ArgumentError unless the name ends in `.wav` and nothing is there: a recording never replaces anything."""
    if not isinstance(path, str | os.PathLike) or "\0" in str(path) or Path(path).suffix.lower() != ".wav":
        raise ArgumentError(f"record {path!r}: expected a path that ends in .wav")
    if os.path.lexists(path):
        raise ArgumentError(f"record {path}: already exists; choose another name")


class Recording:
    """A WAV file, PCM_16, written while samples arrive: a draft until it is closed, in whatever way that happens.

    It is closed with its last reference too, and when the process ends. A process that is killed leaves the draft, which
    can be read: `.NAME.XXXXXXXX.part` beside its place. Where nothing was captured, there is no file. What has come to its
    place meanwhile stays, and so does the draft.

    Raises:
        OutputError: the file cannot be made.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._path, self._channels = path, channels
        with writing(str(path)):
            draft = Draft(path)
            try:
                self._file = draft.path.open("r+b", buffering=0)
                self._file.write(_header(None, rate, channels))
            except BaseException:
                draft.drop()
                raise
        self.close = weakref.finalize(self, _finish, path, self._file, draft, rate, channels)
        """Finish the file, and put it in its place; an OutputError where that cannot be."""

    def write(self, samples: NDArray[np.int16]) -> None:
        """Add samples (samples, channels); an OutputError where the disk is full."""
        left = memoryview(samples.astype("<i2", copy=False).tobytes())
        with writing(str(self._path)):
            while left:  # an unbuffered file takes what there is room for
                left = left[self._file.write(left) :]

    def skip(self, count: int) -> None:
        """Add zeros for samples that were lost."""
        for start in range(0, count, _CHUNK):
            self.write(np.zeros((min(_CHUNK, count - start), self._channels), np.int16))


def _header(size: int | None, rate: int, channels: int) -> bytes:
    """The bytes before `size` bytes of samples; None where that is not known yet.

    A chunk that readers skip has room for RF64's sizes (EBU Tech 3306, 2009).
    """
    width = 2 * channels
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width, width, 16)
    total = _UNKNOWN if size is None else size + _HEADER - 8
    if size is None or total < _UNKNOWN:
        room = struct.pack("<4sI28x", b"JUNK", 28)
        return struct.pack("<4sI4s", b"RIFF", total, b"WAVE") + room + form + struct.pack("<4sI", b"data", size or total)
    room = struct.pack("<4sIQQQI", b"ds64", 28, total, size, size // width, 0)
    return struct.pack("<4sI4s", b"RF64", _UNKNOWN, b"WAVE") + room + form + struct.pack("<4sI", b"data", _UNKNOWN)


def _finish(path: Path, file: IO[bytes], draft: Draft, rate: int, channels: int) -> None:
    size = 0
    try:
        with writing(str(path)), file:
            size = (os.fstat(file.fileno()).st_size - _HEADER) // (2 * channels) * 2 * channels
            if size > 0:
                file.truncate(_HEADER + size)  # a full disk may have cut the last sample
                file.seek(0)
                file.write(_header(size, rate, channels))
    finally:
        if size == 0:
            draft.drop()
        else:  # even an unfinished file has all captured audio
            try:
                draft.keep(replace=False)
            except OSError as error:
                reason = error.strerror or f"{path.name} has appeared there"
                raise OutputError(f"{path}: cannot be written ({reason}); what was captured is in {draft.path}") from error
