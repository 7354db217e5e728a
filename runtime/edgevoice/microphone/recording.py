"""The recording of a microphone as a WAV file."""

from __future__ import annotations

import errno
import os
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, OutputError
from edgevoice.files import Draft, writing

_LARGEST = (1 << 32) - 4096
"""The largest size of the samples in a WAV file, in bytes."""
_CHUNK = 1 << 16


def check_recording(path: str | os.PathLike[str]) -> None:
    """Raise ArgumentError unless the name ends in `.wav`."""
    if Path(path).suffix.lower() != ".wav":
        raise ArgumentError(f"record {path}: expected a name that ends in .wav")


class Recording:
    """A WAV file, PCM_16, written while samples arrive: a draft until it is closed, in whatever way that happens.

    It is closed with its last reference too, and when the process ends. A process that is killed leaves the draft, which
    can be read: `.NAME.XXXXXXXX.part` beside its place. Where nothing was captured, there is no file.

    Raises:
        OutputError: the file cannot be made.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        import soundfile

        self._path, self._channels, self._room = path, channels, _LARGEST
        with writing(str(path)):
            draft = Draft(path)
        try:
            self._file: Any = soundfile.SoundFile(
                draft.path, "w", samplerate=rate, channels=channels, format="WAV", subtype="PCM_16"
            )
        except (OSError, RuntimeError) as error:
            draft.drop()
            raise _unwritable(path, error) from error
        self._finish = weakref.finalize(self, _finish, path, self._file, draft)

    def write(self, samples: NDArray[np.int16]) -> None:
        """Add samples (samples, channels).

        Raises:
            OutputError: the disk is full, or the file as long as a WAV file can be (4 GiB).
        """
        self._room -= samples.nbytes
        if self._room < 0:
            raise OutputError(f"{self._path}: a WAV file cannot be larger than 4 GiB")
        try:
            self._file.write(samples)
        except (OSError, RuntimeError) as error:
            raise _unwritable(self._path, error) from error

    def skip(self, count: int) -> None:
        """Add zeros for samples that were lost.

        Raises:
            OutputError: as `write`.
        """
        for start in range(0, count, _CHUNK):
            self.write(np.zeros((min(_CHUNK, count - start), self._channels), np.int16))

    def close(self) -> None:
        """Finish the file, and put it in its place.

        Raises:
            OutputError: it cannot be finished, or renamed.
        """
        self._finish()


def _finish(path: Path, file: Any, draft: Draft) -> None:
    empty = not file.frames
    try:
        file.close()
    except (OSError, RuntimeError) as error:
        raise _unwritable(path, error) from error
    finally:
        # Even an unfinished file has all captured audio.
        if empty:
            draft.drop()
        else:
            _keep(path, draft)


def _keep(path: Path, draft: Draft) -> None:
    try:
        draft.keep()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); what was captured is in {draft.path}") from error


def _unwritable(path: Path, error: Exception) -> OutputError:
    reason = str(getattr(error, "error_string", error)).rstrip(".")
    if reason == "System error" and _is_full(path.parent):  # libsndfile gives no other reason
        reason = os.strerror(errno.ENOSPC)
    return OutputError(f"{path}: cannot be written ({reason})")


def _is_full(folder: Path) -> bool:
    """Whether the disk has no room for another block of samples."""
    try:
        return shutil.disk_usage(folder).free < _CHUNK
    except OSError:
        return False
