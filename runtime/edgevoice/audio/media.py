"""Files that libsndfile does not read, decoded by FFmpeg's libraries through PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.families import DEMUXERS, Family
from edgevoice.audio.integrity import Findings
from edgevoice.audio.source import Decoder
from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError

_SLACK = 0.2
"""Largest difference between the stated and the decoded length of a complete file, in seconds; half of it without stamps."""
_ROUNDING = 0.003
"""Time stamps are rounded to milliseconds, at both ends of a packet."""


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

    exact = False

    def __init__(self, view: View, family: Family, findings: Findings) -> None:
        if not can_decode():
            raise AudioFormatError(
                f"{findings.name}: is in a format that needs PyAV, which is not installed: pip install av"
            )
        self._view, self._family, self._findings = view.again(), family, findings
        self._stated: float | None = None  # the end of the audio track, in seconds
        self._at = 0  # samples decoded
        self._frames = self._decode()
        # Only decoded audio has the true rate and channels: AAC headers can state half the rate, or fewer channels.
        first = next(self._frames, None)
        if first is None:
            raise AudioFormatError(f"{findings.name}: has no samples")
        self._waiting = [first[0]]
        self.rate, self.channels = first[1], first[0].shape[1]
        self.length = None if self._stated is None else round((self._stated - (self._stamps.begin or 0)) * self.rate)

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
                    f"{samples.shape[1]} after {self._at} samples; expected the same all through"
                )
            waiting.append(samples)
            number += len(samples)
        return np.concatenate(waiting) if waiting else np.empty((0, self.channels), np.float32)

    def _decode(self) -> Iterator[tuple[NDArray[Any], int]]:
        """Samples (samples, channels), of the type that the codec gives, and their rate, frame by frame."""
        import av

        findings, view, name = self._findings, self._view, self._findings.name
        whitelist = {"metadata_errors": "ignore", "options": {"format_whitelist": DEMUXERS}}
        try:
            with av.open(view, **whitelist) as container:
                stream = container.streams.best("audio")
                if stream is None:
                    raise AudioFormatError(f"{name}: holds no audio")
                if stream.codec_context is None:
                    raise AudioFormatError(f"{name}: holds audio of a kind that FFmpeg does not know")
                if not findings.keep:
                    stream.codec_context.options = {"err_detect": "crccheck+explode"}
                delay = _opus_delay(stream.codec_context)
                stated = self._family.end
                self._stated = None if stated is None else stated(container, stream, view)
                self._stamps = _TimeStamps(self._family.stamped)
                live = not stream.frames  # formats made for live streams do not state their number
                for packet in container.demux(stream):
                    if packet.is_corrupt:
                        findings.damage(f"is damaged or cut short after {self._at} samples")
                    try:
                        decoded = packet.decode()
                    except av.FFmpegError as error:
                        findings.damage(f"is damaged or cut short after {self._at} samples ({_words(error)})", error)
                        continue
                    frames = [(_samples(frame), frame.sample_rate) for frame in self._stamps.follow(decoded)]
                    if self._stamps.missing is not None:
                        words = f"its time stamps leave out audio, the first at {self._stamps.missing:.2f} s"
                        (findings.oddity if live else findings.damage)(words)
                    if delay > 0 and frames and packet.size:
                        # FFmpeg 7 and 8 cut too little where the header names the rate from before the coding.
                        whole = _opus_samples(bytes(packet))
                        late = min(delay, whole) - (whole - sum(len(samples) for samples, _ in frames))
                        frames[0] = (frames[0][0][max(0, late) :], frames[0][1])
                        delay -= whole
                    for samples, rate in frames:
                        self._at += len(samples)
                        yield samples, rate
        except (av.FFmpegError, OSError, ValueError) as error:
            view.check(f"{name}: cannot be read after {self._at} samples")
            if isinstance(error, AudioFormatError):
                raise
            if not self._at:
                raise AudioFormatError(f"{name}: is not audio that can be read ({_words(error)})") from error
            findings.damage(f"is damaged or cut short after {self._at} samples ({_words(error)})", error)
        view.check(f"{name}: cannot be read after {self._at} samples")
        if self._stated is not None and self._at:
            end = self._stamps.end if self._family.stamped else self._at / self.rate
            if end < self._stated - (_SLACK if self._family.stamped else _SLACK / 2):
                findings.damage(f"is cut short: its audio ends at {end:.3f} s of the {self._stated:.3f} in its header")

    def close(self) -> None:
        """Close the decoder."""
        self._frames.close()  # type: ignore[attr-defined]


class _TimeStamps:
    """Follows the time stamps of frames, and notices where they leave out more than a packet."""

    def __init__(self, stamped: bool) -> None:
        self._stamped, self._longest = stamped, 0.0
        self.begin: float | None = None
        """Where the audio begins, in seconds."""
        self.end = 0.0
        """Where the last frame ends, in seconds."""
        self.missing: float | None = None
        """Where audio was left out first, in seconds."""

    def follow(self, frames: list[Any]) -> list[Any]:
        """Take the next frames, and return them."""
        for frame in frames:
            seconds = frame.samples / frame.sample_rate
            now = self.end
            if self._stamped and frame.pts is not None and frame.time_base is not None:
                now = float(frame.pts * frame.time_base)
            self._longest = max(self._longest, seconds)
            if self.begin is None:
                self.begin = now
            elif now - self.end > self._longest + _ROUNDING and self.missing is None:
                self.missing = self.end
            self.end = now + seconds
        return frames


def _samples(frame: Any) -> NDArray[Any]:
    """Samples (samples, channels) of one frame, of the type that the codec gives."""
    samples: NDArray[Any] = frame.to_ndarray()
    return samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)


def _opus_delay(codec: Any) -> int:
    """The number of samples at 48 kHz before an Opus recording begins; 0 for other codecs."""
    head = bytes(codec.extradata or b"")
    return int.from_bytes(head[10:12], "little") if head.startswith(b"OpusHead") else 0


def _opus_samples(packet: bytes) -> int:
    """The number of samples at 48 kHz in an Opus packet, read from its first bytes (RFC 6716, section 3.1)."""
    kind, code = packet[0] >> 3, packet[0] & 3
    if kind < 12:
        size = (480, 960, 1920, 2880)[kind & 3]
    elif kind < 16:
        size = (480, 960)[kind & 1]
    else:
        size = (120, 240, 480, 960)[kind & 3]
    return size * (1 if code == 0 else 2 if code < 3 else packet[1] & 63 if len(packet) > 1 else 0)


def _words(error: Exception) -> str:
    words = str(getattr(error, "strerror", None) or error)
    return f"{words[:1].lower()}{words[1:]}"
