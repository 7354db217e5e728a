"""Decoders: of files that libsndfile reads, and of others, by FFmpeg's libraries through PyAV."""

from __future__ import annotations

import copy
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.reading import Decoder, View, reason
from edgevoice.errors import AudioFormatError, missing

_EXACT = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")  # encodings in which libsndfile seeks to the exact sample
_UNKNOWN = re.compile("not recognised|unsupported|unimplemented|unknown|malformed 'fmt '|unspecified", re.IGNORECASE)
"""libsndfile's messages for formats and encodings that it does not know."""
_DEMUXERS = (
    "wav,aiff,w64,au,caf,nistsphere,flac,ogg,aac,amr,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,avi,"
    "ac3,eac3,dts,flv,rm,mpegts,mpeg,wv,ape,mpc,mpc8,tta,dsf,iff,nut"
)
"""What FFmpeg may open: no playlist, and nothing that names other files."""
_SLACK = 0.2  # largest difference between the stated and the decoded length of a complete file, in seconds
_ROUNDING = 0.003  # time stamps are rounded to milliseconds, at both ends of a packet
_MATROSKA = (b"\xa3", b"\xa0", b"\x1f")  # how a block, a group with a block, and a cluster of blocks begin in Matroska
_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}  # NumPy's types for FFmpeg's


class UnknownFormatError(AudioFormatError):
    """libsndfile does not know the format or the encoding of a file, and another library may."""


class SoundDecoder(Decoder):
    """A recording decoded by libsndfile.

    Raises an UnknownFormatError where it does not know the format, or, with `either`, where it finds it damaged.
    """

    def __init__(self, view: View, either: bool = False) -> None:
        super().__init__()
        self._findings = view.findings
        try:
            self._sound = sound = _sound(copy.copy(view))
        except (RuntimeError, TypeError, OSError) as error:
            self._findings.check()
            kind = UnknownFormatError if either or _UNKNOWN.search(str(error)) else AudioFormatError
            raise kind(f"{self._findings.name}: is not audio that can be read ({reason(error)})") from error
        # soundfile seeks after every reading, which loses the place in MP3 and fails in FLAC of unknown length.
        sound.seekable = lambda: False
        self.rate, self.channels = sound.samplerate, sound.channels
        stated = int(sound.frames) if sound.frames < 1 << 62 else None  # 2^63 - 1 where libsndfile does not know it
        self.length = stated if view.samples is None else view.samples
        self._findings.check()
        if view.lead:
            sound.read(view.lead)

    def read(self, count: int) -> NDArray[Any]:
        """The next samples, `count` at most."""
        count = count if self.length is None else min(count, self.length - self.at)
        block: NDArray[Any] = np.empty((0, self.channels), np.float32)
        failure = None
        if self._sound.closed or count <= 0:
            return block
        try:
            # A block in which an error comes is lost.
            block = self._sound.read(min(count, 1024) if self._findings.keep else count, "float32", always_2d=True)
        except RuntimeError as error:
            failure = error
        self._findings.check(f"cannot be read after {self.at} samples")
        if failure or (not len(block) and self.length is not None):
            self.close()  # what libsndfile does after an error is not defined
            self._findings.damage_after(self.at, failure)
        return block

    def seek(self, at: int) -> bool:
        """Go to a sample, in encodings in which libsndfile does that exactly."""
        sound = self._sound
        is_exact = not sound.closed and sound.format != "OGG" and sound.subtype.startswith(_EXACT)
        if not is_exact or self.length is None or not 0 <= at <= self.length:
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
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(view, file)
            file.seek(0)
            return soundfile.SoundFile(os.dup(file.fileno()), closefd=True)


class MediaDecoder(Decoder):
    """The audio of a media file: M4A, MP4, WebM, Matroska, AAC, WMA and others.

    It is always decoded from its beginning: that gives every sample its exact place.
    """

    def __init__(self, view: View) -> None:
        super().__init__()
        self._findings, self._decoded = view.findings, 0
        self._frames = self._decode(copy.copy(view))
        self._waiting = list(itertools.islice(self._frames, 1))
        if not self._waiting:
            raise AudioFormatError(f"{view.findings.name}: has no samples")

    def read(self, count: int) -> NDArray[Any]:
        """The next samples: whole frames, until there are at least `count`."""
        waiting, self._waiting = self._waiting, []
        number = sum(map(len, waiting))
        while number < count and (samples := next(self._frames, None)) is not None:
            waiting.append(samples)
            number += len(samples)
        return np.concatenate(waiting) if waiting else np.empty((0, self.channels), np.float32)

    def _decode(self, view: View) -> Iterator[NDArray[Any]]:
        """Samples (samples, channels), of the type that the codec gives, frame by frame; the first sets form and length."""
        findings = self._findings
        try:
            import av
        except ImportError as error:
            needed = missing("av", "what libsndfile does not know")
            raise AudioFormatError(f"{findings.name}: {needed}") from error
        stated = None
        end = longest = 0.0  # seconds: of the last sample, the longest frame
        is_whole = True  # so far, by the time stamps
        try:
            with av.open(view, metadata_errors="ignore", options={"format_whitelist": _DEMUXERS}) as container:
                stream = container.streams.best("audio")
                if stream is None or stream.codec_context is None:
                    raise AudioFormatError(f"{findings.name}: holds no audio{' that FFmpeg knows' if stream else ''}")
                kind = container.format.name
                stated = _stated_end(container, stream)
                for frame, samples in self._packets(container, stream, view, stated):
                    # Only decoded audio has the true rate and channels: AAC headers can state half of them.
                    rate, channels = frame.sample_rate, frame.layout.nb_channels
                    has_stamp = kind != "avi" and frame.pts is not None and frame.time_base is not None
                    now = max(0.0, float(frame.pts * frame.time_base)) if has_stamp else end
                    if not self.rate:
                        self.rate, self.channels, end = rate, channels, now
                        self.length = None if stated is None else round((stated - now) * rate)
                    if (rate, channels) != (self.rate, self.channels):
                        raise AudioFormatError(
                            f"{findings.name}: changes from {self.rate} Hz with {self.channels} channel(s) to {rate} Hz "
                            f"with {channels} after {self._decoded} samples; expected the same all through"
                        )
                    longest = max(longest, frame.samples / rate)
                    if is_whole and now - end > longest + _ROUNDING:
                        is_whole, words = False, f"its time stamps leave out audio, the first at {end:.2f} s"
                        # Formats made for live streams do not state the number of their packets.
                        (findings.damage if stream.frames else findings.oddity)(words)
                    end = now + frame.samples / rate
                    self._decoded += len(samples)
                    yield samples
        except (av.FFmpegError, OSError, ValueError) as error:
            findings.check(f"cannot be read after {self._decoded} samples")
            if isinstance(error, AudioFormatError):
                raise
            if not self._decoded:
                raise AudioFormatError(f"{findings.name}: is not audio that can be read ({reason(error)})") from error
            findings.damage_after(self._decoded, error)
        findings.check(f"cannot be read after {self._decoded} samples")
        if stated is not None and self._decoded and end < stated - _SLACK:
            words = f"is cut short: its audio ends at {end:.3f} s of the {stated:.3f} in its header"
            (findings.oddity if kind == "asf" else findings.damage)(words)

    def _packets(self, container: Any, stream: Any, view: View, stated: float | None) -> Iterator[tuple[Any, NDArray[Any]]]:
        """Decoded frames and their samples."""
        import av

        is_matroska, findings = "matroska" in container.format.name, self._findings
        options, header, late = {}, bytes(stream.codec_context.extradata or b""), 0
        if not findings.keep:
            options["err_detect"] = "crccheck+explode"
        if is_matroska and header.startswith(b"OpusHead"):
            # FFmpeg 7 and 8 cut too little of the beginning where the header names the rate from before the coding.
            options["flags2"], late = "+skip_manual", int.from_bytes(header[10:12], "little")
        stream.codec_context.options = options
        behind = 0
        for packet in container.demux():
            behind = max(behind, (packet.pos or 0) + packet.size)
            if packet.stream is not stream:
                continue
            if packet.is_corrupt:
                findings.damage_after(self._decoded)
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                findings.damage_after(self._decoded, error)
                continue
            for frame in frames:
                yield frame, _samples(frame)[late:]
                late = max(0, late - frame.samples)
            if not late:
                stream.codec_context.flags2 = 0  # FFmpeg cuts the end
        # A recorded live stream states no length; its last packet, behind 4 bytes of its block, may be incomplete.
        if is_matroska and stated is None and view.part(behind + 4, 1) in _MATROSKA:
            findings.damage(f"is cut short after {self._decoded} samples")

    def close(self) -> None:
        """Close the decoder."""
        self._frames.close()  # type: ignore[attr-defined]


def _stated_end(container: Any, stream: Any) -> float | None:
    """Where the audio track says that it ends, in seconds: other tracks may be longer; None where nothing tells it."""
    if ("mp4" in container.format.name or container.format.name == "avi") and stream.duration and stream.frames < 1 << 30:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    if "matroska" in container.format.name:
        found = re.fullmatch(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", "").strip("\0 "))
        if found:
            hours, minutes, seconds = map(float, found.groups())
            return hours * 3600 + minutes * 60 + seconds
    is_told = "matroska" in container.format.name or container.format.name == "asf"
    return container.duration / 1_000_000 if is_told and len(container.streams) == 1 and container.duration else None


def _samples(frame: Any) -> NDArray[Any]:
    """Samples (samples, channels) of one frame, of the type that the codec gives."""
    channels, kind = frame.layout.nb_channels, np.dtype(_TYPES[frame.format.packed.name])
    if not frame.format.is_planar:
        return np.frombuffer(frame.planes[0], kind, frame.samples * channels).reshape(-1, channels)
    # PyAV finds planes that are not there where there are 8 or more, and reads from anywhere in `to_ndarray`.
    return np.stack([np.frombuffer(plane, kind, frame.samples) for plane in frame.planes[:channels]], axis=1)
