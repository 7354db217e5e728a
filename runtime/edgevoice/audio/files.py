"""Audio sources that can be read from the start more than once: files through soundfile, and arrays."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.paths import is_file, is_folder
from edgevoice.audio.samples import check_rate, check_samples, is_number
from edgevoice.errors import ArgumentError, AudioFileNotFoundError, AudioFormatError, SamplesError

AudioInput = "str | os.PathLike[str] | IO[bytes] | tuple[NDArray[Any], int] | AudioSource"
"""What `extract` takes: a path, an open binary file, or (samples, rate)."""

BLOCK = 1 << 16
"""Samples of each channel read at a time."""

# libsndfile repairs the length of a file that is shorter than its header says, and tells so only in its log.
_REPAIRED = re.compile(r"(\d+) \(should be (\d+)\)")
_REPAIRED_FRAMES = re.compile(r"frame count \d+ does not match value from 'ds64' chunk", re.IGNORECASE)
_UNKNOWN_LENGTH = 0x7FFF_FF00
"""Writers to a pipe cannot know the length and put a number from here up."""
_SLACK = 8
"""Bytes by which harmless writers miscount the outer chunk."""


@runtime_checkable
class AudioSource(Protocol):
    """Audio that can be read in blocks, from the start, as often as needed."""

    name: str
    """What it is called in messages."""
    rate: int
    """In hertz."""
    channels: int
    first: int
    """Position of the first sample that is read, at the source's rate."""

    def __enter__(self) -> AudioSource: ...

    def __exit__(self, *_: object) -> None: ...

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Samples in order, float32 (samples, channels), checked."""
        ...


def open_source(audio: AudioInput, start: float | None = None, end: float | None = None) -> AudioSource:
    """The source behind a path, an open binary file or (samples, rate), cut to start..end seconds.

    Raises:
        AudioFileNotFoundError: there is no such file.
        AudioFormatError: it is not audio that soundfile reads, or it is cut short.
        SamplesError: the array cannot be used.
        ArgumentError: start and end are not in order, or something else was given.
    """
    for name, value in (("start", start), ("end", end)):
        if value is not None and not (is_number(value) and np.isfinite(value) and value >= 0):
            raise ArgumentError(f"{name} {value!r}: expected seconds, 0 or more")
    if end is not None and end <= (start or 0):
        raise ArgumentError(f"end {end}: expected more than start ({start or 0})")
    if isinstance(audio, tuple):
        if len(audio) != 2:
            raise ArgumentError(f"a tuple of {len(audio)}: expected (samples, rate)")
        return _Array(*audio, start, end)
    if isinstance(audio, str | os.PathLike) or hasattr(audio, "read"):
        return _File(audio, start, end)
    raise ArgumentError(f"{type(audio).__name__}: expected a path, an open binary file or (samples, rate)")


def _range(rate: int, start: float | None, end: float | None, length: int) -> tuple[int, int]:
    first = 0 if start is None else round(start * rate)
    last = length if end is None else min(length, round(end * rate))
    return min(first, last), last


class _Array:
    def __enter__(self) -> AudioSource:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __init__(self, samples: NDArray[Any], rate: int, start: float | None, end: float | None) -> None:
        check_rate(rate)
        checked = check_samples(samples)
        first, last = _range(rate, start, end, len(checked))
        self._samples = checked[first:last]
        self.name, self.first, self.rate = "the samples given", first, int(rate)
        self.channels = 1 if checked.ndim == 1 else checked.shape[1]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        rows = self._samples.reshape(-1, self.channels)
        for at in range(0, len(rows), BLOCK):
            yield rows[at : at + BLOCK]


class _File:
    def __enter__(self) -> AudioSource:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __init__(self, file: str | os.PathLike[str] | IO[bytes], start: float | None, end: float | None) -> None:
        self._file, self._start, self._end = file, start, end
        self.name = str(file) if isinstance(file, str | os.PathLike) else str(getattr(file, "name", "the open file"))
        self._position = None
        if isinstance(file, str | os.PathLike):
            path = Path(file)
            if not os.fspath(file):
                raise AudioFileNotFoundError("'': no such file")  # Path takes it for the current folder
            if is_folder(path):
                raise AudioFormatError(f"{self.name}: is a folder, expected an audio file")
            if not os.path.lexists(path):
                raise AudioFileNotFoundError(f"{self.name}: no such file")
        else:
            self._position = self._tell()
        with self._open() as sound:
            self.rate, self.channels = sound.samplerate, sound.channels
            self.first, self._last = _range(self.rate, start, end, sound.frames)
        try:
            check_rate(self.rate)
        except ArgumentError as error:
            raise AudioFormatError(f"{self.name}: {error}") from error

    def _tell(self) -> int:
        try:
            return self._file.tell()  # type: ignore[union-attr]
        except (AttributeError, OSError, ValueError) as error:
            raise AudioFormatError(f"{self.name}: cannot be sought; read it into memory first") from error

    def _open(self) -> Any:
        import soundfile

        if self._position is not None:
            self._file.seek(self._position)  # type: ignore[union-attr]
        try:
            sound = soundfile.SoundFile(self._file)
        except (soundfile.SoundFileError, TypeError, OSError) as error:
            raise AudioFormatError(f"{self.name}: {self._reason(error)}") from error
        log = sound.extra_info
        lengths = ((int(stated), int(found)) for stated, found in _REPAIRED.findall(log))
        if _REPAIRED_FRAMES.search(log) or any(found + _SLACK < told < _UNKNOWN_LENGTH for told, found in lengths):
            sound.close()
            raise AudioFormatError(f"{self.name}: is cut short: it has fewer samples than its header says")
        return sound

    def _reason(self, error: Exception) -> str:
        if isinstance(self._file, str | os.PathLike):
            path = Path(self._file)
            if not os.access(path, os.R_OK):
                return "cannot be read (permission denied)"
            if is_file(path) and path.stat().st_size == 0:
                return "is empty"
        words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".") or "damaged"
        return f"is not audio that can be read ({words[0].lower()}{words[1:]})"

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        import soundfile

        with self._open() as sound:
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
                    yield self._checked(block)
            except soundfile.SoundFileError as error:
                raise AudioFormatError(f"{self.name}: is damaged or cut short after {at} samples ({error})") from error

    def _checked(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return check_samples(block)
        except SamplesError as error:
            raise SamplesError(f"{self.name}: {error}") from error
