"""Files that libsndfile reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.samples import check_rate, check_samples
from edgevoice.audio.source import BLOCK, AudioSource
from edgevoice.audio.views import View
from edgevoice.errors import ArgumentError, AudioFormatError, SamplesError, StreamError

# libsndfile repairs the length of a file that is shorter than its header says, and tells so only in its log.
_REPAIRED = re.compile(r"(\d+) \(should be (\d+)\)")
_REPAIRED_FRAMES = re.compile(r"frame count \d+ does not match value from 'ds64' chunk", re.IGNORECASE)
_UNKNOWN_LENGTH = 0x7FFF_FF00
"""Writers to a pipe cannot know the length and put a number from here up."""
_SLACK = 8
"""Bytes by which harmless writers miscount the outer chunk."""


class SoundFileSource(AudioSource):
    """An open file, read through libsndfile.

    Args:
        file: open for reading, can be sought.
        name: what it is called in messages.
        start: seconds at which reading begins.
        end: seconds at which it ends; None reads all.
        begin: position in the file at which the audio begins.

    Raises:
        AudioFormatError: it is not audio that libsndfile reads, or it is cut short.
    """

    def __init__(self, file: IO[bytes], name: str, start: float | None, end: float | None, begin: int = 0) -> None:
        self._file, self._begin, self._closed = file, begin, False
        self.name = name
        self._sound: Any = self._open()
        try:
            self.rate, self.channels = check_rate(self._sound.samplerate), self._sound.channels
        except ArgumentError as error:
            self._sound.close()
            raise AudioFormatError(f"{self.name}: {error}") from error
        self.first, self._last = cut(self.rate, start, end, self._sound.frames)
        self.seconds = (self._last - self.first) / self.rate

    def _open(self) -> Any:
        import soundfile

        view = View(self._file, self._begin)
        if not view.size:
            raise AudioFormatError(f"{self.name}: is empty")
        try:
            sound = soundfile.SoundFile(view)
        except (soundfile.SoundFileError, TypeError, OSError) as error:
            words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".") or "damaged"
            told = f"is not audio that can be read ({words[0].lower()}{words[1:]})"
            raise AudioFormatError(f"{self.name}: {view.failure or told}") from error
        log = sound.extra_info
        lengths = ((int(stated), int(found)) for stated, found in _REPAIRED.findall(log))
        if _REPAIRED_FRAMES.search(log) or any(found + _SLACK < told < _UNKNOWN_LENGTH for told, found in lengths):
            sound.close()
            raise AudioFormatError(f"{self.name}: is cut short: it has fewer samples than its header says")
        return sound

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Samples in order, float32 (samples, channels), checked; every call begins at the start."""
        import soundfile

        if self._closed:
            raise StreamError(f"{self.name}: was closed")
        # The one that was opened to see rate and length serves the first reading: what is opened costs a seek and a header.
        sound, self._sound = self._sound or self._open(), None
        with sound:
            try:
                if self.first:
                    sound.seek(self.first)
                at = self.first
                while at < self._last:
                    block = sound.read(min(BLOCK, self._last - at), dtype="float32", always_2d=True)
                    if not len(block):
                        raise AudioFormatError(
                            f"{self.name}: is cut short: {at} samples could be read of the {sound.frames} promised"
                        )
                    at += len(block)
                    yield checked(block, self.name)
            except soundfile.SoundFileError as error:
                raise AudioFormatError(f"{self.name}: is damaged or cut short after {at} samples ({error})") from error

    def close(self) -> None:
        """Let go of libsndfile's handle; the file stays open, for whoever opened it."""
        self._closed = True
        if self._sound is not None:
            self._sound.close()
            self._sound = None


def cut(rate: int, start: float | None, end: float | None, length: int) -> tuple[int, int]:
    """Positions of the first sample that is read, and of the first that is not."""
    first = 0 if start is None else round(start * rate)
    last = length if end is None else min(length, round(end * rate))
    return min(first, last), last


def checked(block: NDArray[Any], name: str) -> NDArray[np.float32]:
    """The samples of a block, in the words of the file that they come from."""
    try:
        return check_samples(block)
    except SamplesError as error:
        raise SamplesError(f"{name}: {error}") from error
