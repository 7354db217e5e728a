"""Files that libsndfile reads."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.source import Decoder
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_UNKNOWN_LENGTH = 1 << 62
"""libsndfile's number of samples for an unknown length is 2^63 - 1."""
_EXACT = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
"""Encodings in which libsndfile seeks to the exact sample."""
_UNKNOWN = re.compile("not recognised|unsupported|unimplemented|unknown|malformed 'fmt '|unspecified", re.IGNORECASE)
"""libsndfile's messages for formats and encodings that it does not know."""


class UnknownFormatError(AudioFormatError):
    """libsndfile does not know the format or the encoding of a file."""


class SoundDecoder(Decoder):
    """Recordings, one after the other, decoded by libsndfile.

    Raises:
        UnknownFormatError: libsndfile does not know the format.
        AudioFormatError: it is not audio that libsndfile reads, or it is cut short.
    """

    def __init__(self, recordings: Sequence[Recording], findings: Findings) -> None:
        super().__init__()
        self._waiting, self._findings = list(recordings), findings
        self._sound: Any = None
        self._view = recordings[0].view
        self._left: int | None = None  # samples of this recording that were not read
        length: int | None = 0
        formats = set()
        try:
            for recording in reversed(recordings):
                sound = self._open(recording)
                length = None if length is None or self._left is None else length + self._left
                formats.add((sound.samplerate, sound.channels))
            if len(formats) > 1:
                raise AudioFormatError(f"{findings.name}: joins recordings of different rates or channels")
        except BaseException:
            self.close()
            raise
        ((self.rate, self.channels),) = formats
        self.length = length
        del self._waiting[0]

    def _open(self, recording: Recording) -> Any:
        self.close()
        name = self._findings.name
        self._view = view = recording.view.again()
        try:
            self._sound = sound = _sound(view)
        except (RuntimeError, TypeError, OSError) as error:
            view.check(f"{name}: cannot be read")
            kind = UnknownFormatError if _UNKNOWN.search(str(error)) else AudioFormatError
            raise kind(f"{name}: is not audio that can be read ({_words(error)})") from error
        view.check(f"{name}: cannot be read")
        # soundfile seeks after every reading, which loses the place in MP3 and fails in FLAC of unknown length.
        sound.seekable = lambda: False
        stated = int(sound.frames) if sound.frames < _UNKNOWN_LENGTH else None
        self._left = stated if recording.samples is None else recording.samples
        if recording.lead:
            sound.read(recording.lead)
        return sound

    def read(self, count: int) -> NDArray[Any]:
        """The next samples, `count` at most."""
        block = self._block(count)
        while not len(block) and self._waiting:
            self._open(self._waiting.pop(0))
            block = self._block(count)
        return block

    def _block(self, count: int) -> NDArray[Any]:
        words = f"is damaged or cut short after {self.at} samples"
        count = count if self._left is None else min(count, self._left)
        if self._findings.keep:
            count = min(count, 1024)  # a block in which an error comes is lost
        block: NDArray[Any] = np.empty((0, self.channels), np.float32)
        cause = None
        if self._sound is None:
            return block
        try:
            block = self._sound.read(count, dtype="float32", always_2d=True)
        except RuntimeError as error:
            words, cause = f"{words} ({_words(error)})", error
        self._view.check(f"{self._findings.name}: cannot be read after {self.at} samples")
        if cause or (count and not len(block) and self._left is not None):
            self.close()  # what libsndfile does after an error is not defined
            self._findings.damage(words, cause)
        if self._left is not None:
            self._left -= len(block)
        return block

    def seek(self, at: int) -> bool:
        """Go to a sample, in encodings in which libsndfile does that exactly."""
        if self._sound is None or self._sound.format in ("OGG", "FLAC") or not self._sound.subtype.startswith(_EXACT):
            return False  # FLAC too: to seek in a damaged one can end the process
        if self.length is None or not 0 <= at <= self.length:
            return False
        try:
            self._sound.seek(at)
        except RuntimeError as error:
            raise AudioFormatError(f"{self._findings.name}: is damaged or cut short before sample {at}") from error
        self._left = self.length - at
        return True

    def close(self) -> None:
        """Close libsndfile's handle."""
        if self._sound is not None:
            self._sound.close()
            self._sound = None


def _sound(view: View) -> Any:
    """Open a file by its path where that is possible: it is faster, and needs no memory that may be executed."""
    import soundfile

    path = view.native_path()
    if path is not None and not path.lower().endswith(".raw"):  # soundfile takes those for samples without a header
        return soundfile.SoundFile(path if os.name == "nt" else os.fsencode(path))
    try:
        return soundfile.SoundFile(view)
    except MemoryError:  # this process may not execute what it writes to memory, which callbacks from C need
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(view, copy)
            copy.seek(0)
            return soundfile.SoundFile(os.dup(copy.fileno()), closefd=True)


def _words(error: Exception) -> str:
    """The message of libsndfile, to be put in brackets."""
    words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
    if not words or "SF_INFO" in words or "internal" in words.lower():
        return "damaged"  # libsndfile reports an internal error where a header makes no sense
    return f"{words[0].lower()}{words[1:]}"
