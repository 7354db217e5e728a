"""Files that libsndfile does not read, decoded by FFmpeg's libraries through PyAV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.integrity import Findings
from edgevoice.audio.source import Decoder
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_DEMUXERS = (
    "wav,aiff,w64,au,caf,nistsphere,flac,ogg,aac,amr,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,avi,"
    "ac3,eac3,dts,flv,rm,mpegts,mpeg,wv,ape,mpc,mpc8,tta,dsf,iff,nut"
)
"""What FFmpeg may open: no playlist, and nothing that names other files."""
_SLACK = 0.2
"""Largest difference between the stated and the decoded length of a complete file, in seconds."""
_ROUNDING = 0.003
"""Time stamps are rounded to milliseconds, at both ends of a packet."""
_MATROSKA = (b"\xa3", b"\xa0", b"\x1f")
"""How a block, a group with a block, and a cluster of blocks begin in Matroska."""
_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
"""NumPy's types for FFmpeg's."""
_OPUS = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
"""Samples at 48 kHz of the frames in an Opus packet, by the first five of its bits (RFC 6716, section 3.1)."""


def can_decode() -> bool:
    """Whether PyAV is installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


class MediaDecoder(Decoder):
    """The audio of a media file: M4A, MP4, WebM, Matroska, AAC, WMA and others.

    It is always decoded from its beginning: that gives every sample its exact place.

    Raises:
        AudioFormatError: PyAV is not installed, or the file is damaged, cut short or holds no audio.
    """

    def __init__(self, view: View, findings: Findings) -> None:
        super().__init__()
        if not can_decode():
            raise AudioFormatError(
                f"{findings.name}: is in a format that needs PyAV, which is not installed: pip install av"
            )
        self._view, self._findings = view.again(), findings
        self._begin: float | None = None  # seconds: of the first sample, the end of the track, and a gap
        self._stated: float | None = None
        self._missing: float | None = None
        self._end = self._longest = 0.0  # seconds: of the last sample, the longest frame
        self._decoded = 0  # samples
        self._frames = self._decode()
        # Only decoded audio has the true rate and channels: AAC headers can state half the rate, or fewer channels.
        first = next(self._frames, None)
        if first is None:
            raise AudioFormatError(f"{findings.name}: has no samples")
        self._waiting = [first[0]]
        self.rate, self.channels = first[1], first[0].shape[1]
        self.length = None if self._stated is None else round((self._stated - (self._begin or 0)) * self.rate)

    def read(self, count: int) -> NDArray[Any]:
        """The next samples: whole packets, until there are at least `count`."""
        waiting, self._waiting = self._waiting, []
        number = sum(map(len, waiting))
        while number < count:
            frame = next(self._frames, None)
            if frame is None:
                break
            samples, rate = frame
            if (rate, samples.shape[1]) != (self.rate, self.channels):
                raise AudioFormatError(
                    f"{self._findings.name}: changes from {self.rate} Hz with {self.channels} channel(s) to {rate} Hz with "
                    f"{samples.shape[1]} after {self._decoded} samples; expected the same all through"
                )
            waiting.append(samples)
            number += len(samples)
        return np.concatenate(waiting) if waiting else np.empty((0, self.channels), np.float32)

    def _decode(self) -> Iterator[tuple[NDArray[Any], int]]:
        """Samples (samples, channels), of the type that the codec gives, and their rate, frame by frame."""
        import av

        findings, view, name = self._findings, self._view, self._findings.name
        try:
            with av.open(view, metadata_errors="ignore", options={"format_whitelist": _DEMUXERS}) as container:
                stream = container.streams.best("audio")
                if stream is None:
                    raise AudioFormatError(f"{name}: holds no audio")
                if stream.codec_context is None:
                    raise AudioFormatError(f"{name}: holds audio of a kind that FFmpeg does not know")
                if not findings.keep:
                    stream.codec_context.options = {"err_detect": "crccheck+explode"}
                self._stated = _stated_end(container, stream)
                delay, behind = _opus_delay(stream.codec_context), 0
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
                    frames = [(_samples(frame), frame.sample_rate) for frame in decoded]
                    if delay > 0 and frames and packet.size:
                        # FFmpeg 7 and 8 cut too little where the header names the rate from before the coding.
                        whole = _opus_samples(bytes(packet))
                        late = min(delay, whole) - (whole - sum(len(samples) for samples, _ in frames))
                        frames[0] = (frames[0][0][max(0, late) :], frames[0][1])
                        delay -= whole
                    for samples, rate in frames:
                        self._decoded += len(samples)
                        yield samples, rate
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
            findings.damage(f"is cut short: its audio ends at {self._end:.3f} s of the {self._stated:.3f} in its header")

    def _follow(self, frames: list[Any], is_stamped: bool, is_live: bool) -> None:
        """Follow the time stamps of frames, and notice where they leave out more than a packet.

        AVI has none; formats made for live streams do not state the number of their packets.
        """
        for frame in frames:
            seconds = frame.samples / frame.sample_rate
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
        if len(container.streams) == 1 and container.duration is not None:
            return float(container.duration / 1_000_000)
    return None


def _samples(frame: Any) -> NDArray[Any]:
    """Samples (samples, channels) of one frame, of the type that the codec gives."""
    channels, kind = frame.layout.nb_channels, np.dtype(_TYPES[frame.format.packed.name])
    if not frame.format.is_planar:
        return np.frombuffer(frame.planes[0], kind, frame.samples * channels).reshape(-1, channels)
    # PyAV finds planes that are not there where there are 8 or more, and reads from anywhere in `to_ndarray`.
    return np.stack([np.frombuffer(plane, kind, frame.samples) for plane in frame.planes[:channels]], axis=1)


def _opus_delay(codec: Any) -> int:
    """The number of samples at 48 kHz before an Opus recording begins; 0 for other codecs."""
    head = bytes(codec.extradata or b"")
    return int.from_bytes(head[10:12], "little") if head.startswith(b"OpusHead") else 0


def _opus_samples(packet: bytes) -> int:
    """The number of samples at 48 kHz in an Opus packet."""
    code = packet[0] & 3
    return _OPUS[packet[0] >> 3] * (1 if code == 0 else 2 if code < 3 else packet[1] & 63 if len(packet) > 1 else 0)


def _words(error: Exception) -> str:
    words = str(getattr(error, "strerror", None) or error)
    return f"{words[:1].lower()}{words[1:]}"
