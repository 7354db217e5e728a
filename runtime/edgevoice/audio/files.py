"""Opens audio of any kind that `extract` takes: paths, open files, arrays."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.paths import is_folder
from edgevoice.audio.samples import check_channel, check_rate, check_samples, is_number
from edgevoice.audio.source import BLOCK, AudioSource, cut
from edgevoice.errors import ArgumentError, AudioFileNotFoundError, AudioFormatError, StreamError

if TYPE_CHECKING:
    from edgevoice.audio.views import View

_LONGEST = 1e9
"""An upper limit for times, in seconds: longer than any recording, and small enough to be counted in samples."""

AudioInput = str | os.PathLike[str] | IO[bytes] | tuple[NDArray[Any], int] | AudioSource
"""What `extract` takes: a path, an open binary file, (samples, rate), or an open source."""


Incomplete = Literal["error", "keep"]


def open_source(
    audio: AudioInput,
    start: float | None = None,
    end: float | None = None,
    channel: int | None = None,
    *,
    incomplete: Incomplete = "error",  # noqa: ARG001
) -> AudioSource:
    """Open audio once, cut to start..end seconds; use it as a context manager, or close it.

    Closing it closes what was opened here; a file or source that was already open stays open. A pipe is read to its end
    into memory (a temporary file beyond 64 MiB), because most formats cannot be read in order only.

    Args:
        audio: a path, which may be that of a pipe; an open binary file; (samples, rate); or an open source, for which start
            and end may not be given.
        start: where to begin, in seconds.
        end: where to stop, in seconds.
        channel: a channel that the audio must have, counted from 0; None requires none.
        incomplete: `error` refuses a damaged file, `keep` reads what is there.

    Raises:
        AudioFileNotFoundError: there is no such file.
        AudioFormatError: it is not audio that can be read, is cut short, or lacks the channel.
        SamplesError: the array cannot be used.
        ArgumentError: start and end are not in order, there cannot be such a channel, or something else was given.
    """
    for name, value in (("start", start), ("end", end)):
        if value is not None and not (is_number(value) and 0 <= value <= _LONGEST):
            raise ArgumentError(f"{name} {value!r}: expected seconds, from 0 to {_LONGEST:g}")
    if end is not None and end <= (start or 0):
        raise ArgumentError(f"end {end}: expected more than start ({start or 0})")
    source = _opened(audio, start, end)
    try:
        _check_channel(source, channel, isinstance(audio, tuple))
    except BaseException:
        source.close()
        raise
    return source


def _opened(audio: AudioInput, start: float | None, end: float | None) -> AudioSource:
    if isinstance(audio, AudioSource):
        if start is not None or end is not None:
            raise ArgumentError(f"start and end: {audio.name} is already open; give start and end where it is opened")
        return _Lent(audio)
    if isinstance(audio, tuple):
        if len(audio) != 2:
            raise ArgumentError(f"a tuple of {len(audio)}: expected (samples, rate)")
        return _Array(*audio, start, end)
    if isinstance(audio, str | os.PathLike):
        file, name = _open_path(audio), os.fspath(audio)
        return _read(file, name, start, end, 0, [file])
    if hasattr(audio, "read"):
        name = str(getattr(audio, "name", "the open file"))
        return _read(audio, name, start, end, _position(audio), [])
    raise ArgumentError(f"{type(audio).__name__}: expected a path, an open binary file, (samples, rate) or an AudioSource")


def _check_channel(source: AudioSource, channel: int | None, given: bool) -> None:
    """A file that lacks the channel is an error of that file, as others may have it; of an array, one of the call."""
    if channel is None:
        return
    number = check_channel(channel, source.channels if given else None)
    if number is not None and number >= source.channels:
        raise AudioFormatError(
            f"{source.name}: has {source.channels} channel(s), counted from 0; there is no channel {number}"
        )


def _open_path(path: str | os.PathLike[str]) -> IO[bytes]:
    name = os.fspath(path)
    if not name:
        raise AudioFileNotFoundError("'': no such file")  # Path would treat it as the current folder
    if is_folder(Path(path)):
        raise AudioFormatError(f"{name}: is a folder, expected an audio file")
    try:
        file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - a name that Path refuses is an OSError or ValueError here
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        if not isinstance(error, ValueError) and os.path.islink(path):  # noqa: PTH114
            raise AudioFileNotFoundError(f"{name}: is a link to {os.readlink(path)}, which does not exist") from error  # noqa: PTH115
        raise AudioFileNotFoundError(f"{name}: no such file") from error
    except PermissionError as error:
        raise AudioFormatError(f"{name}: cannot be read (permission denied)") from error
    except OSError as error:
        if not os.path.lexists(path):
            raise AudioFileNotFoundError(f"{name}: no such file") from error
        raise AudioFormatError(f"{name}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        file.close()
        raise AudioFormatError(f"{name}: is a device, expected an audio file")
    return file


def _position(file: IO[bytes]) -> int | None:
    """The position at which the audio begins in an open file; None for a file without positions, such as a pipe."""
    try:
        at = file.tell()
        return file.seek(at)
    except (AttributeError, OSError, ValueError):
        return None


def _read(
    file: IO[bytes], name: str, start: float | None, end: float | None, begin: int | None, ours: list[IO[bytes]]
) -> AudioSource:
    """A source that reads a file, and that closes the files which were opened here."""
    # Readers of files are loaded with the first file: a live program needs none of them.
    from edgevoice.audio.views import View, spooled

    try:
        if begin is None or _position(file) is None:
            try:
                file = spooled(file)
            except (OSError, ValueError, TypeError) as error:
                raise AudioFormatError(f"{name}: cannot be read ({error})") from error
            ours.append(file)
            begin = 0
        return _Owner(_decoded(View.whole(file, begin), name, start, end), ours)
    except BaseException:
        for opened in ours:
            opened.close()
        raise


def _decoded(view: View, name: str, start: float | None, end: float | None) -> AudioSource:
    """Choose the reader for this kind of file."""
    from edgevoice.audio.decoding import DecodedSource, can_decode
    from edgevoice.audio.mpeg import tag_size
    from edgevoice.audio.signatures import HEAD, MEDIA, kind_of
    from edgevoice.audio.soundfiles import SoundFileSource, UnknownFormatError, sound_parts

    if not view.size:
        raise AudioFormatError(f"{name}: is empty")
    kind = kind_of(view.part(0, HEAD))
    tag = tag_size(view) if kind == "mpeg" else 0
    if tag and kind_of(view.part(tag, HEAD)) not in ("mpeg", ""):
        view = view.spliced([(tag, view.size)])  # other formats can begin with ID3 too
        kind = kind_of(view.part(0, HEAD))
    if kind in MEDIA:
        return DecodedSource(view, kind, name, start, end)
    parts = sound_parts(view, kind, name)
    try:
        return SoundFileSource(parts, name, start, end)
    except UnknownFormatError as error:
        if not kind:
            raise
        if not can_decode():
            raise AudioFormatError(f"{error}; PyAV reads more: pip install 'edgevoice[media]'") from error
        return DecodedSource(view, kind, name, start, end)  # a known container with unknown content


class _Lent(AudioSource):
    """A source that belongs to the caller: closing this wrapper leaves it open."""

    def __init__(self, source: AudioSource) -> None:
        self._source, self._closed = source, False
        self.name, self.rate, self.channels = source.name, source.rate, source.channels
        self.first, self.seconds = source.first, source.seconds

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        if self._closed:
            raise StreamError(f"{self.name}: was closed")
        return self._source.blocks()

    def close(self) -> None:
        self._closed = True


class _Owner(_Lent):
    """A source, together with the files that were opened for it."""

    def __init__(self, source: AudioSource, files: list[IO[bytes]]) -> None:
        super().__init__(source)
        self._files = files

    def close(self) -> None:
        super().close()
        self._source.close()
        for file in self._files:
            file.close()


class _Array(AudioSource):
    def __init__(self, samples: NDArray[Any], rate: int, start: float | None, end: float | None) -> None:
        self.name, self.rate = "the samples given", check_rate(rate)
        checked = check_samples(samples)
        self.first, last = cut(self.rate, start, end, len(checked))
        self._samples = checked[self.first : last]
        self.channels = 1 if checked.ndim == 1 else checked.shape[1]
        self.seconds = len(self._samples) / self.rate
        self._closed = False

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        if self._closed:
            raise StreamError(f"{self.name}: the source is closed")
        rows = self._samples.reshape(-1, self.channels)
        for at in range(0, len(rows), BLOCK):
            yield rows[at : at + BLOCK]

    def close(self) -> None:
        self._closed = True
