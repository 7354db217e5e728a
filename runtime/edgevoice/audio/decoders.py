"""Decoders: of files that libsndfile reads, and of others, by FFmpeg's libraries through PyAV."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.source import Decoder
from edgevoice.audio.views import Findings, Recording, View
from edgevoice.errors import AudioFormatError

_UNKNOWN_LENGTH = 1 << 62  # libsndfile gives 2^63 - 1
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
_OPUS = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
"""Samples at 48 kHz of the frames in an Opus packet, by the first five of its bits (RFC 6716, section 3.1)."""


class UnknownFormatError(AudioFormatError):
    """libsndfile does not know the format or the encoding of a file."""


class SoundDecoder(Decoder):
    """A recording decoded by libsndfile. Raises an UnknownFormatError where it does not know the format."""

    def __init__(self, recording: Recording, findings: Findings) -> None:
        super().__init__()
        self._view, self._findings, words = recording.view.again(), findings, f"{findings.name}: cannot be read"
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
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(view, copy)
            copy.seek(0)
            return soundfile.SoundFile(os.dup(copy.fileno()), closefd=True)


class MediaDecoder(Decoder):
    """The audio of a media file: M4A, MP4, WebM, Matroska, AAC, WMA and others.

    It is always decoded from its beginning: that gives every sample its exact place.
    """

    def __init__(self, view: View, findings: Findings) -> None:
        super().__init__()
        self._view, self._findings = view.again(), findings
        self._begin: float | None = None  # seconds: of the first sample, the end of the track, and a gap
        self._stated: float | None = None
        self._missing: float | None = None
        self._end = self._longest = 0.0  # seconds: of the last sample, the longest frame
        self._decoded = self.rate = self.channels = 0
        self._frames = self._decode()
        self._waiting = list(itertools.islice(self._frames, 1))
        if not self._waiting:
            raise AudioFormatError(f"{findings.name}: has no samples")
        self.length = None if self._stated is None else round((self._stated - (self._begin or 0)) * self.rate)

    def read(self, count: int) -> NDArray[Any]:
        """The next samples: whole frames, until there are at least `count`."""
        waiting, self._waiting = self._waiting, []
        number = sum(map(len, waiting))
        while number < count and (samples := next(self._frames, None)) is not None:
            waiting.append(samples)
            number += len(samples)
        return np.concatenate(waiting) if waiting else np.empty((0, self.channels), np.float32)

    def _decode(self) -> Iterator[NDArray[Any]]:
        """Samples (samples, channels), of the type that the codec gives, frame by frame."""
        findings, view, name = self._findings, self._view, self._findings.name
        try:
            import av
        except ImportError as error:
            raise AudioFormatError(
                f"{name}: is in a format that needs PyAV, which is not installed: pip install av"
            ) from error
        try:
            with av.open(view, metadata_errors="ignore", options={"format_whitelist": _DEMUXERS}) as container:
                stream = container.streams.best("audio")
                if stream is None or stream.codec_context is None:
                    raise AudioFormatError(f"{name}: holds no audio{' that FFmpeg knows' if stream else ''}")
                if not findings.keep:
                    stream.codec_context.options = {"err_detect": "crccheck+explode"}
                self._stated, is_asf = _stated_end(container, stream), container.format.name == "asf"
                opus = bytes(stream.codec_context.extradata or b"")
                delay = int.from_bytes(opus[10:12], "little") if opus.startswith(b"OpusHead") else 0  # samples at 48 kHz
                behind = 0
                for packet in container.demux():
                    if packet.pos is not None:
                        behind = max(behind, packet.pos + packet.size)
                    if packet.stream is not stream:
                        continue
                    if packet.is_corrupt:
                        findings.damage(f"is damaged or cut short after {self._decoded} samples")
                    try:
                        decoded = packet.decode()
                    except av.FFmpegError as error:
                        findings.damage(f"is damaged or cut short after {self._decoded} samples ({_words(error)})", error)
                        continue
                    self._follow(decoded, container.format.name != "avi", not stream.frames)
                    frames = [_samples(frame) for frame in decoded]
                    if delay > 0 and frames and packet.size:
                        # FFmpeg 7 and 8 cut too little where the header names the rate from before the coding.
                        whole = _opus_samples(bytes(packet))
                        late = min(delay, whole) - (whole - sum(map(len, frames)))
                        frames[0] = frames[0][max(0, late) :]
                        delay -= whole
                    for samples in frames:
                        self._decoded += len(samples)
                        yield samples
                # A recorded live stream states no length; its last packet, behind 4 bytes of its block, may be incomplete.
                if "matroska" in container.format.name and self._stated is None and view.part(behind + 4, 1) in _MATROSKA:
                    findings.damage(f"is cut short after {self._decoded} samples")
        except (av.FFmpegError, OSError, ValueError) as error:
            view.check(f"{name}: cannot be read after {self._decoded} samples")
            if isinstance(error, AudioFormatError):
                raise
            if not self._decoded:
                raise AudioFormatError(f"{name}: is not audio that can be read ({_words(error)})") from error
            findings.damage(f"is damaged or cut short after {self._decoded} samples ({_words(error)})", error)
        view.check(f"{name}: cannot be read after {self._decoded} samples")
        if self._stated is not None and self._decoded and self._end < self._stated - _SLACK:
            words = f"is cut short: its audio ends at {self._end:.3f} s of the {self._stated:.3f} in its header"
            (findings.oddity if is_asf else findings.damage)(words)

    def _follow(self, frames: list[Any], is_stamped: bool, is_live: bool) -> None:
        """Notice where the form changes, or time stamps leave out more than a packet.

        Formats made for live streams do not state the number of their packets.
        """
        for frame in frames:
            # Only decoded audio has the true rate and channels: AAC headers can state half the rate, or fewer channels.
            rate, channels = frame.sample_rate, frame.layout.nb_channels
            if (rate, channels) != (self.rate or rate, self.channels or channels):
                raise AudioFormatError(
                    f"{self._findings.name}: changes from {self.rate} Hz with {self.channels} channel(s) to {rate} Hz with "
                    f"{channels} after {self._decoded} samples; expected the same all through"
                )
            self.rate, self.channels = rate, channels
            seconds = frame.samples / rate
            has_stamp = is_stamped and frame.pts is not None and frame.time_base is not None
            now = float(frame.pts * frame.time_base) if has_stamp else self._end
            self._longest = max(self._longest, seconds)
            if self._begin is None:
                self._begin = now
            elif now - self._end > self._longest + _ROUNDING and self._missing is None:
                self._missing = self._end
                words = f"its time stamps leave out audio, the first at {self._end:.2f} s"
                (self._findings.oddity if is_live else self._findings.damage)(words)
            self._end = now + seconds

    def close(self) -> None:
        """Close the decoder."""
        self._frames.close()  # type: ignore[attr-defined]


def _stated_end(container: Any, stream: Any) -> float | None:
    """Where the audio track says that it ends, in seconds: other tracks may be longer; None where nothing tells it."""
    if ("mp4" in container.format.name or container.format.name == "avi") and stream.duration and stream.frames < 1 << 30:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    if "matroska" in container.format.name:
        found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", "").strip("\0 "))
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


def _opus_samples(packet: bytes) -> int:
    """The number of samples at 48 kHz in an Opus packet."""
    code = packet[0] & 3
    return _OPUS[packet[0] >> 3] * (1 if code == 0 else 2 if code < 3 else packet[1] & 63 if len(packet) > 1 else 0)


def _words(error: Exception) -> str:
    """The message of a library, to be put in brackets."""
    words = str(getattr(error, "strerror", None) or error).rsplit(": ", 1)[-1].strip().rstrip(".")
    if not words or "SF_INFO" in words or "internal" in words.lower():
        return "damaged"  # libsndfile reports an internal error where a header makes no sense
    return f"{words[0].lower()}{words[1:]}"
