"""Files that libsndfile reads."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.integrity.lengths import is_placeholder
from edgevoice.audio.source import Decoder
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

# libsndfile repairs the length of a file that is shorter than its header says, and reports that only in its log.
_REPAIRED = re.compile(r"^\s*(.*?)\s*:?\s*(\d+) \(?should be (\d+)", re.MULTILINE)
_HARMLESS = ("Bytes/sec", "Block Align", "FORM")
"""Corrections in libsndfile's log that do not concern the number of samples."""
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

    def __init__(self, recordings: Sequence[Recording], findings: Findings, log: bool) -> None:
        self._recordings, self._findings, self._log = recordings, findings, log
        self._at = self._number = 0  # samples read of the recording, and its number
        self._sound: Any = None
        lengths = []
        try:
            for recording in reversed(recordings):
                sound = self._open(recording)
                lengths.append(self._length)
                if lengths[1:] and (sound.samplerate, sound.channels) != (self.rate, self.channels):
                    raise AudioFormatError(f"{findings.name}: joins recordings of different rates or channels")
                self.rate, self.channels = sound.samplerate, sound.channels
        except BaseException:
            self.close()
            raise
        self.length = None if None in lengths else sum(filter(None, lengths))

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
        if self._log and _is_short(sound):
            self._findings.damage("is cut short: it has fewer samples than its header states")
        # soundfile seeks after every reading, which loses the place in MP3 and fails in FLAC of unknown length.
        sound.seekable = lambda: False
        self._length = recording.samples
        if self._length is None and sound.frames < _UNKNOWN_LENGTH:
            self._length = int(sound.frames)
        if recording.lead:
            sound.read(recording.lead)
        return sound

    def read(self, count: int) -> NDArray[Any]:
        """The next samples, `count` at most."""
        while True:
            block = self._block(count)
            if len(block) or self._number + 1 == len(self._recordings):
                return block
            self._number, self._at = self._number + 1, 0
            self._open(self._recordings[self._number])

    def _block(self, count: int) -> NDArray[Any]:
        import soundfile

        name, length = self._findings.name, self._length
        if length is not None:
            count = min(count, length - self._at)
        if self._findings.keep:
            count = min(count, 1024)  # a block in which an error comes is lost
        try:
            block: NDArray[Any] = self._sound.read(count, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            self._view.check(f"{name}: cannot be read after {self._at} samples")
            raise AudioFormatError(f"{name}: is damaged or cut short after {self._at} samples ({_words(error)})") from error
        self._view.check(f"{name}: cannot be read after {self._at} samples")
        self._at += len(block)
        if count and not len(block) and length is not None:
            raise AudioFormatError(f"{name}: is cut short: {self._at} of {length} samples could be read")
        return block

    def seek(self, at: int) -> bool:
        """Go to a sample, in encodings in which libsndfile does that exactly."""
        sound = self._sound
        exact = sound.subtype.startswith(_EXACT) and sound.format != "OGG"
        if len(self._recordings) > 1 or not exact or self._length is None or not 0 <= at <= self._length:
            return False
        try:
            sound.seek(at)
        except RuntimeError as error:
            raise AudioFormatError(f"{self._findings.name}: is damaged or cut short before sample {at}") from error
        self._at = at
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


def _is_short(sound: Any) -> bool:
    """Whether a file has fewer samples than its header states."""
    return any(
        label not in _HARMLESS and int(found) // 2 < int(stated) // 2 and not is_placeholder(int(stated))
        for label, stated, found in _REPAIRED.findall(sound.extra_info)
    )


def _words(error: Exception) -> str:
    """The message of libsndfile, to be put in brackets."""
    words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
    if not words or "SF_INFO" in words or "internal" in words.lower():
        return "damaged"  # libsndfile reports an internal error where a header makes no sense
    return f"{words[0].lower()}{words[1:]}"
