"""Audio of any kind that `extract` takes, opened: paths, open files, arrays; ranges of it are read in blocks."""

from __future__ import annotations

import copy
import io
import math
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from types import TracebackType
from typing import IO, Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.reading import ArrayDecoder, Decoder, Findings, View, read_waiting, reason
from edgevoice.audio.samples import Resampler, as_float, check_channel, check_rate, check_samples, mix
from edgevoice.errors import ArgumentError, AudioFileNotFoundError, AudioFormatError, SamplesError

_IN_MEMORY = 1 << 26  # largest number of bytes of a pipe that are kept in memory; more go to a temporary file
_KEPT = 1 << 22  # how many of the last samples of all channels are kept where segments are read: 16 MiB
_END = sys.maxsize  # a position behind every recording
_LONGEST = 1e9  # an upper limit for times, in seconds: longer than any recording, and small enough to be counted in samples


class AudioSource:
    """A range of open audio, which can be read in blocks from its start, as often as needed, until it is closed.

    `decoder` begins a pass; one that ends is kept for the next range, which may begin in its last samples. `files` are the
    source's from here on.
    """

    def __init__(self, name: str, decoder: Callable[[], Decoder], files: ExitStack) -> None:
        self.name, self._decoder, self._owner = name, decoder, self
        first = decoder()
        try:
            self.rate, self.channels = check_rate(first.rate), first.channels
        except ArgumentError as error:
            raise AudioFormatError(f"{name}: {error}") from error
        self._idle, self._files = [first], files.pop_all()  # which segments share
        self._length, self._last = _END if first.length is None else first.length, _END
        self.first = 0  # position of the first sample that is read, at the rate of the source
        self.seconds: float | None  # the length of what will be read; None where it is not known before reading
        self.cut()

    def cut(self, start: float | None = None, end: float | None = None) -> Self:
        """Read from `start` to `end` only, in seconds of the recording. Raises as `check_times`."""
        check_times(start, end)
        self.first = max(self.first, round(as_float(start or 0) * self.rate))
        if end is not None:
            self._last = min(self._last, round(as_float(end) * self.rate))
        last = min(self._last, self._length)
        self.seconds = None if last == _END else max(0, last - self.first) / self.rate
        return self

    def segment(self, start: float | None = None, end: float | None = None) -> AudioSource:
        """The part of this source from `start` to `end`, in seconds of the recording; closing it leaves the source open.

        Segments can be read in any order; in the order of their starts a compressed file is decoded once for all of them.
        """
        return copy.copy(self).cut(start, end)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Samples in order, float32 (samples, channels); every call begins at the start. Damage and NaN are AudioErrors."""
        current = self._idle.pop() if self._idle else self._decoder()  # taken, so that two readings do not share it
        keep = _KEPT // self.channels if self.first or self._last < _END else 0
        is_damaged = False
        try:
            if not current.reaches(self.first):
                current.close()
                current = self._decoder()
                current.reaches(self.first)
            for block in current.blocks(self.first, self._last, keep):
                yield check_samples(block)
        except SamplesError as error:
            raise SamplesError(f"{self.name}: {error}") from error
        except AudioFormatError:
            is_damaged = True
            raise
        finally:
            if is_damaged or self._idle:
                current.close()
            else:
                self._idle.append(current)

    def close(self) -> None:
        """Close the audio, unless this is a segment of it. A second call does nothing."""
        if self._owner is self:
            while self._idle:
                self._idle.pop().close()
            self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


AudioInput = str | os.PathLike[str] | IO[bytes] | tuple[NDArray[Any], int] | Mapping[str, Any] | AudioSource
"""What `extract` takes: a path, an open binary file, (samples, rate), a row of a data set, or an open source."""
Incomplete = Literal["error", "keep"]


def open_source(
    audio: AudioInput,
    start: float | None = None,
    end: float | None = None,
    channel: int | None = None,
    *,
    incomplete: Incomplete = "error",
) -> AudioSource:
    """Open audio once, cut to start..end seconds; use it as a context manager, or close it.

    Closing it closes what was opened here; a file or source that was already open stays open. A pipe is read to its end
    into memory (a temporary file beyond 64 MiB), because most formats cannot be read in order only.

    Args:
        audio: a path; an open binary file, which may be a pipe; (samples, rate); what `datasets` and torchcodec give: a
            mapping with `array` and `sampling_rate`, or a decoder; or an open source, of which a segment is opened.
        start: where to begin, in seconds.
        end: where to stop, in seconds.
        channel: a channel that the audio must have, counted from 0.
        incomplete: `error` refuses a file that is cut short or damaged; `keep` reads what is there of it, with a warning.

    Raises:
        AudioFileNotFoundError: there is no such file.
        AudioFormatError: it is not audio that can be read, is cut short, or lacks the channel.
        SamplesError: the array cannot be used.
        ArgumentError: start and end are not in order, the channel is no whole number, or something else was given.
    """
    source = audio.segment() if isinstance(audio, AudioSource) else _opened(audio, incomplete == "keep")
    try:
        source.cut(start, end)
        number = check_channel(channel, None)
        if number is not None and number >= source.channels:
            raise AudioFormatError(
                f"{source.name}: has {source.channels} channel(s), counted from 0; there is no channel {number}"
            )
    except BaseException:
        source.close()
        raise
    return source


def check_times(start: float | None, end: float | None) -> None:
    """Raise ArgumentError unless these are times in seconds, in order."""
    for name, value in (("start", start), ("end", end)):
        if value is not None and not 0 <= as_float(value) <= _LONGEST:
            raise ArgumentError(f"{name} {value!r}: expected seconds, from 0 to {_LONGEST:g}")
    if end is not None and as_float(end) <= as_float(start or 0):
        raise ArgumentError(f"end {end}: expected more than start ({start or 0})")


def resampled(source: AudioSource, rate: int, channel: int | None) -> Iterator[NDArray[np.float32]]:
    """Resample one channel of a source, or the mean of all channels, block by block: float32 (samples,)."""
    resampler = Resampler(source.rate, rate)
    for block in source.blocks():
        yield resampler.push(mix(block, channel))
    yield resampler.finish()


def _opened(audio: Any, keep: bool) -> AudioSource:
    if isinstance(audio, str | os.PathLike):
        path = os.fsdecode(audio)
        return _file(_open_path(path), path, keep, is_own=True)
    if hasattr(audio, "get_all_samples"):  # torchcodec's decoders, which rows of `datasets` hold
        audio = audio.get_all_samples()
    if hasattr(audio, "data") and hasattr(audio, "sample_rate"):
        audio = {"array": audio.data, "sampling_rate": audio.sample_rate}
    if isinstance(audio, Mapping):
        return _row(audio, keep)
    if isinstance(audio, tuple) and len(audio) == 2:
        if math.isnan(as_float(audio[1])) and not math.isnan(as_float(audio[0])):  # as scipy and Gradio have it
            raise ArgumentError(f"({audio[0]}, {type(audio[1]).__name__}): expected (samples, rate); swapped?")
        return _array(*audio)
    if hasattr(audio, "read") and not isinstance(audio, io.TextIOBase):
        return _file(audio, str(getattr(audio, "name", "the open file")), keep)
    raise ArgumentError(f"{type(audio).__name__}: expected a path, open(path, 'rb'), (samples, rate) or an AudioSource")


def _array(samples: Any, rate: Any) -> AudioSource:
    rate, samples = check_rate(rate), check_samples(samples)
    return AudioSource("the samples given", lambda: ArrayDecoder(samples, rate), ExitStack())


def _row(row: Mapping[str, Any], keep: bool) -> AudioSource:
    """What a row of a data set holds: samples, of which channels come first; the bytes of a file; or its path."""
    if row.get("array") is not None and "sampling_rate" in row:
        samples = row["array"]
        lies_across = getattr(samples, "ndim", 1) == 2 and len(samples) < len(samples.T)
        return _array(samples.T if lies_across else samples, row["sampling_rate"])
    if isinstance(row.get("bytes"), bytes):
        return _file(io.BytesIO(row["bytes"]), str(row.get("path") or "the bytes given"), keep)
    if isinstance(row.get("path"), str):
        return _opened(row["path"], keep)
    raise ArgumentError(f"a mapping of {', '.join(map(str, row)) or 'nothing'}: expected 'array' and 'sampling_rate'")


def _open_path(name: str) -> IO[bytes]:
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116 - a name that Path refuses is an OSError or ValueError here
        # The shell opens what it names so, as in <(command); to open another pipe may never end.
        if stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and name.startswith(("/dev/", "/proc/"))):
            return open(name, "rb", buffering=0)  # noqa: PTH123
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and os.path.islink(name):  # noqa: PTH114
            raise AudioFileNotFoundError(f"{name}: is a link to {os.readlink(name)}, which does not exist") from error  # noqa: PTH115
        if isinstance(error, PermissionError) or os.path.lexists(name):
            raise AudioFormatError(f"{name}: cannot be read ({reason(error)})") from error
        raise AudioFileNotFoundError(f"{name or repr(name)}: no such file") from error
    kind = "folder" if stat.S_ISDIR(mode) else "pipe" if stat.S_ISFIFO(mode) else "device or socket"
    raise AudioFormatError(f"{name}: is a {kind}, expected an audio file")


def _file(file: IO[bytes], name: str, keep: bool, is_own: bool = False) -> AudioSource:
    """The audio of a file, which belongs to the source if it is the source's own."""
    # Loaded with the first file: a live program needs none of them.
    from edgevoice.audio.decoders import MediaDecoder, SoundDecoder, UnknownFormatError
    from edgevoice.audio.families import UNKNOWN, recognised

    with ExitStack() as files:
        if is_own:
            files.enter_context(file)
        try:
            try:
                begin, size = file.tell(), file.seek(0, os.SEEK_END)
            except (AttributeError, OSError, ValueError):  # a pipe
                import tempfile

                spool = files.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))
                while chunk := read_waiting(file, file.read, 1 << 20):
                    spool.write(chunk)
                file, begin, size, is_own = cast("IO[bytes]", spool), 0, spool.tell(), False
            findings = Findings(name, keep)
            view = View(file, [(begin, size)], findings, name if is_own and not begin else None)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise AudioFormatError(f"{name}: cannot be read ({error})") from error
        if not view.size:
            raise AudioFormatError(f"{name}: is empty")
        view, family = recognised(view)
        if family is UNKNOWN:  # by its path, libsndfile would take anything named .gsm or .vox for such samples
            view = view.spliced([(0, view.size)])
        try:
            checked = family.check(view) if family.check else view
        finally:
            findings.check()  # what cannot be read looks like the end
        if checked and not family.media:
            try:
                return AudioSource(name, lambda: SoundDecoder(checked, family.either), files)
            except UnknownFormatError:
                if family is UNKNOWN and find_spec("av") is None:  # it is hardly audio
                    raise
        return AudioSource(name, lambda: MediaDecoder(checked or view), files)
