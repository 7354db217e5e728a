"""Files that libsndfile reads."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
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
    """A recording decoded by libsndfile.

    Raises:
        UnknownFormatError: libsndfile does not know the format.
        AudioFormatError: it is not audio that libsndfile reads.
    """

    def __init__(self, recording: Recording, findings: Findings) -> None:
        super().__init__()
        self._view, self._findings = recording.view.again(), findings
        words = f"{findings.name}: cannot be read"
        try:
            self._sound = sound = _sound(self._view)
        except (RuntimeError, TypeError, OSError) as error:
            self._view.check(words)
            kind = UnknownFormatError if _UNKNOWN.search(str(error)) else AudioFormatError
            raise kind(f"{findings.name}: is not audio that can be read ({_words(error)})") from error
        # soundfile seeks after every reading, which loses the place in MP3 and fails in FLAC of unknown length.
        sound.seekable = lambda: False
        self.rate, self.channels = sound.samplerate, sound.channels
        stated = int(sound.frames) if sound.frames < _UNKNOWN_LENGTH else None
        self.length = stated if recording.samples is None else recording.samples
        try:
            self._view.check(words)
            if recording.lead:
                sound.read(recording.lead)
        except BaseException:
            sound.close()
            raise

    def read(self, count: int) -> NDArray[Any]:
        """The next samples, `count` at most."""
        words, cause = f"is damaged or cut short after {self.at} samples", None
        count = count if self.length is None else min(count, self.length - self.at)
        block: NDArray[Any] = np.empty((0, self.channels), np.float32)
        if self._sound.closed or count <= 0:
            return block
        try:
            # A block in which an error comes is lost.
            block = self._sound.read(min(count, 1024) if self._findings.keep else count, "float32", always_2d=True)
        except RuntimeError as error:
            words, cause = f"{words} ({_words(error)})", error
        self._view.check(f"{self._findings.name}: cannot be read after {self.at} samples")
        if cause or (not len(block) and self.length is not None):
            self.close()  # what libsndfile does after an error is not defined
            self._findings.damage(words, cause)
        return block

    def seek(self, at: int) -> bool:
        """Go to a sample, in encodings in which libsndfile does that exactly."""
        sound = self._sound
        if sound.closed or sound.format == "OGG" or not sound.subtype.startswith(_EXACT):
            return False
        if self.length is None or not 0 <= at <= self.length:
            return False
        try:
            sound.seek(at)
        except RuntimeError as error:
            raise AudioFormatError(f"{self._findings.name}: is damaged or cut short before sample {at}") from error
        return True

    def close(self) -> None:
        """Close libsndfile's handle."""
        self._sound.close()


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
