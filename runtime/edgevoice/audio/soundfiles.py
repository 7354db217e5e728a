"""Files that libsndfile reads."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.flac import check_last_frame
from edgevoice.audio.lengths import checked_length, mpeg_in_wav
from edgevoice.audio.mpeg import mpeg_parts
from edgevoice.audio.ogg import ogg_parts
from edgevoice.audio.parts import Part
from edgevoice.audio.samples import check_rate, check_samples
from edgevoice.audio.source import BLOCK, AudioSource, cut
from edgevoice.audio.views import View
from edgevoice.errors import ArgumentError, AudioFormatError, SamplesError, StreamError

# libsndfile repairs the length of a file that is shorter than its header says, and reports that only in its log.
_REPAIRED = re.compile(r"^\s*(.*?)\s*:?\s*(\d+) \(?should be (\d+)", re.MULTILINE)
_LOGGED: dict[str, tuple[str, Callable[[int, int], bool]]] = {
    "AVR": ("Frames", operator.gt),
    "MPC2K": ("Frames", operator.gt),
    "MAT4": ("Cols", operator.gt),
    "MAT5": ("Cols", operator.gt),
    "SDS": ("Frames", operator.lt),
}
"""Formats for which libsndfile only logs a second number of samples per channel: the label in the log, and how that number
compares with the one that libsndfile gives where a file is cut short. For SDS, the log has the number in the file, for the
others that in the header.
"""
_HARMLESS = ("Bytes/sec", "Block Align", "RIFF", "RIFX", "RF64", "riff", "FORM", "Riff size")
"""Corrections in libsndfile's log that do not concern the number of samples: rates, and sizes of outer chunks."""
_UNKNOWN_LENGTH = 1 << 62
"""libsndfile's number of samples for an unknown length is 2^63 - 1."""
_EXACT = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
"""Encodings in which libsndfile seeks to the exact sample."""
_UNKNOWN = re.compile("not recognised|unsupported|unimplemented|unknown|malformed 'fmt '|unspecified", re.IGNORECASE)
"""libsndfile's messages for formats and encodings that it does not know."""


class UnknownFormatError(AudioFormatError):
    """libsndfile does not know the format or the encoding of a file."""


def sound_parts(view: View, kind: str, name: str) -> Sequence[Part]:
    """Find the recordings in a file, and check that each is complete.

    Raises:
        AudioFormatError: the file is damaged or cut short.
    """
    head = view.part(0, 2)
    if kind == "mpeg" or (not kind and len(head) == 2 and head[0] == 0xFF and head[1] >= 0xE0):
        return mpeg_parts(view, name)  # libsndfile treats all such files as MP3, and finds frames in any bytes
    if kind == "ogg":
        return ogg_parts(view, name)
    if kind == "flac":
        check_last_frame(view, name)
    compared = checked_length(view, kind, name)
    frames = mpeg_in_wav(view) if kind == "wav" else None
    if frames is not None:
        return mpeg_parts(frames, name)
    return [Part(view) if compared is None else Part(compared, compared=True)]


class SoundFileSource(AudioSource):
    """Recordings, one after the other, read through libsndfile.

    Args:
        parts: the recordings.
        name: the name for messages.
        start: seconds at which reading begins.
        end: seconds at which it ends; None reads all.

    Raises:
        UnknownFormatError: libsndfile does not know the format.
        AudioFormatError: it is not audio that libsndfile reads, or it is cut short.
    """

    def __init__(self, parts: Sequence[Part], name: str, start: float | None, end: float | None) -> None:
        self._parts, self._closed = parts, False
        self.name = name
        self._sound: Any = self._open(parts[0])
        self.rate, self.channels = self._sound.samplerate, self._sound.channels
        try:
            check_rate(self.rate)
            lengths = [_length(self._sound, parts[0]), *map(self._like_the_first, parts[1:])]
        except ArgumentError as error:
            self._sound.close()
            raise AudioFormatError(f"{self.name}: {error}") from error
        except BaseException:
            self._sound.close()
            raise
        self._lengths = lengths
        known = [length for length in lengths if length is not None]
        self.first, self._last = cut(self.rate, start, end, sum(known) if len(known) == len(lengths) else None)
        self.seconds = None if len(known) < len(lengths) else ((self._last or 0) - self.first) / self.rate

    def _like_the_first(self, part: Part) -> int | None:
        with self._open(part) as sound:
            if (sound.samplerate, sound.channels) != (self.rate, self.channels):
                raise AudioFormatError(
                    f"{self.name}: joins recordings of {self.rate} Hz with {self.channels} channel(s) and of "
                    f"{sound.samplerate} Hz with {sound.channels}; expected the same in all of them"
                )
            return _length(sound, part)

    def _open(self, part: Part) -> Any:
        import soundfile

        view = part.view.again()
        try:
            sound = soundfile.SoundFile(view)
        except (soundfile.SoundFileError, TypeError, OSError) as error:
            view.check(f"{self.name}: cannot be read")
            told = f"{self.name}: is not audio that can be read ({_words(error)})"
            raise (UnknownFormatError if _UNKNOWN.search(str(error)) else AudioFormatError)(told) from error
        if not part.compared and _is_short(sound):
            sound.close()
            raise AudioFormatError(f"{self.name}: is cut short: it has fewer samples than its header states")
        # soundfile seeks after every reading, which loses the place in MP3 and fails in FLAC of unknown length.
        sound.seekable = lambda: False
        sound.view = view
        return sound

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The samples in order, float32 (samples, channels), checked; every call begins at the start."""
        if self._closed:
            raise StreamError(f"{self.name}: was closed")
        at = 0
        for part, length in zip(self._parts, self._lengths, strict=True):
            if length is not None and at + length <= self.first:
                at += length
                continue
            for block in self._part(part, length, max(0, self.first - at), at):
                at += len(block)
                begin, end = max(0, self.first - at + len(block)), len(block)
                if self._last is not None:
                    end -= max(0, at - self._last)
                if begin < end:
                    yield checked(block[begin:end], self.name)
                if self._last is not None and at >= self._last:
                    return

    def _part(self, part: Part, length: int | None, skipped: int, before: int) -> Iterator[NDArray[np.float32]]:
        """All blocks of one recording. Where seeking is not exact, decoding begins at the start of the recording."""
        import soundfile

        # The first reading uses the handle that was opened to read rate and length.
        sound = self._sound if part is self._parts[0] and self._sound is not None else self._open(part)
        self._sound = None if sound is self._sound else self._sound
        at = 0
        with sound:
            try:
                if part.lead:
                    sound.read(part.lead)
                if skipped and length is not None and (sound.subtype.startswith(_EXACT) or sound.format == "FLAC"):
                    sound.seek(skipped)
                    at = skipped
                    yield np.broadcast_to(np.float32(0), (skipped, self.channels))  # takes no memory, and is not used
                while length is None or at < length:
                    # A short segment is read only up to its end.
                    wanted = BLOCK if self._last is None else max(1, min(BLOCK, self._last - before - at))
                    count = wanted if length is None else min(wanted, length - at)
                    block = sound.read(count, dtype="float32", always_2d=True)
                    if not len(block):
                        break
                    at += len(block)
                    yield block
            except soundfile.SoundFileError as error:
                sound.view.check(f"{self.name}: cannot be read after {before + at} samples")
                raise AudioFormatError(
                    f"{self.name}: is damaged or cut short after {before + at} samples ({_words(error)})"
                ) from error
        sound.view.check(f"{self.name}: cannot be read after {before + at} samples")
        if length is not None and at < length:
            raise AudioFormatError(f"{self.name}: is cut short: {before + at} of {before + length} samples could be read")

    def close(self) -> None:
        """Close libsndfile's handle. The file stays open: its owner closes it."""
        self._closed = True
        if self._sound is not None:
            self._sound.close()
            self._sound = None


def checked(block: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Check the samples of a block; errors name the file."""
    try:
        return check_samples(block)
    except SamplesError as error:
        raise SamplesError(f"{name}: {error}") from error


def _is_short(sound: Any) -> bool:
    """Whether a file has fewer samples than its header states."""
    log = sound.extra_info
    if any(label not in _HARMLESS and int(found) < int(stated) for label, stated, found in _REPAIRED.findall(log)):
        return True
    if sound.format not in _LOGGED:
        return False
    label, is_short = _LOGGED[sound.format]
    logged = re.findall(rf"\b{label} +: (\d+)", log)
    return bool(logged) and is_short(int(logged[-1]), int(sound.frames))


def _length(sound: Any, part: Part) -> int | None:
    if part.samples is not None:
        return part.samples
    return None if sound.frames >= _UNKNOWN_LENGTH else int(sound.frames)


def _words(error: Exception) -> str:
    """The message of libsndfile, to be put in brackets."""
    words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
    if not words or "SF_INFO" in words or "internal" in words.lower():
        return "damaged"  # libsndfile reports an internal error where a header makes no sense
    return f"{words[0].lower()}{words[1:]}"
