"""Files that libsndfile does not read, decoded by FFmpeg's libraries through PyAV."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.containers import check_complete, is_live_asf
from edgevoice.audio.samples import check_rate
from edgevoice.audio.soundfiles import checked
from edgevoice.audio.source import BLOCK, AudioSource, cut
from edgevoice.audio.views import View
from edgevoice.errors import ArgumentError, AudioFormatError, EdgeVoiceWarning, StreamError

_GUESSED = ("aac", "ac3", "eac3", "dts", "mpegts", "mpeg", "mp3", "wav", "avi", "flv", "amr", "rm", "caf")
"""Containers whose length FFmpeg estimates from the bit rate."""
_JUMP = 0.1
"""Seconds that may be missing between the time stamps of two frames: some containers round them to a frame."""
_SLACK = 0.25
"""Largest difference between the stated and the decoded length of a complete file, in seconds."""


def can_decode() -> bool:
    """Whether PyAV is installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


class DecodedSource(AudioSource):
    """The audio of a media file: M4A, MP4, WebM, Matroska, AAC, WMA and others.

    It is decoded from its beginning also where `start` is given: that gives every sample its exact place.

    Args:
        view: the file.
        kind: its kind, as `signatures.kind_of` gives it.
        name: the name for messages.
        start: seconds at which reading begins.
        end: seconds at which it ends; None reads all.

    Raises:
        AudioFormatError: PyAV is not installed, or the file is damaged, cut short or holds no audio.
    """

    _stated: float | None = None
    """The length that the header states, in seconds; None where it states none."""

    def __init__(self, view: View, kind: str, name: str, start: float | None, end: float | None) -> None:
        if not can_decode():
            raise AudioFormatError(
                f"{name}: is in a format that needs PyAV, which is not installed: pip install 'edgevoice[media]'"
            )
        self._view, self.name, self._closed, self._warned = view, name, False, False
        check_complete(view, kind, name)
        self._estimated = kind == "asf" and is_live_asf(view)
        decoding = self._decode()
        # Only decoded audio has the true rate and channels: AAC headers can state half the rate, or fewer channels.
        first = next(decoding, None)
        if first is None:
            raise AudioFormatError(f"{name}: has no samples")
        self.rate, self.channels = first[1], first[0].shape[1]
        try:
            check_rate(self.rate)
        except ArgumentError as error:
            decoding.close()
            raise AudioFormatError(f"{name}: {error}") from error
        self._begun: Any = (first, decoding)
        length = None if self._stated is None else round(self._stated * self.rate)
        self.first, last = cut(self.rate, start, end, length)
        self._last = None if end is None else round(end * self.rate)
        self.seconds = None if length is None or last is None else (last - self.first) / self.rate

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Samples in order, float32 (samples, channels), checked; every call begins at the start."""
        if self._closed:
            raise StreamError(f"{self.name}: was closed")
        at, waiting, count = 0, [], 0
        for samples, rate in self._frames():
            if (rate, samples.shape[1]) != (self.rate, self.channels):
                raise AudioFormatError(
                    f"{self.name}: changes from {self.rate} Hz with {self.channels} channel(s) to {rate} Hz with "
                    f"{samples.shape[1]} after {at} samples; expected the same all through"
                )
            at += len(samples)
            begin = max(0, self.first - at + len(samples))
            stop = len(samples) if self._last is None else len(samples) - max(0, at - self._last)
            if begin < stop:
                waiting.append(samples[begin:stop])
                count += stop - begin
            if count >= BLOCK:
                yield checked(np.concatenate(waiting), self.name)
                waiting, count = [], 0
            if self._last is not None and at >= self._last:
                break
        else:
            if self._stated is not None and at < (self._stated - _SLACK) * self.rate:
                raise AudioFormatError(
                    f"{self.name}: is cut short: it has {at / self.rate:.3f} s of the {self._stated:.3f} in its header"
                )
        if waiting:
            yield checked(np.concatenate(waiting), self.name)

    def _frames(self) -> Iterator[tuple[NDArray[Any], int]]:
        begun, self._begun = self._begun, None
        if begun is not None:
            first, decoding = begun
            yield first
        else:
            decoding = self._decode()
        try:
            yield from decoding
        finally:
            decoding.close()

    def _decode(self) -> Any:
        """Samples (samples, channels), of the type that the codec gives, and their rate, frame by frame."""
        import av

        view = self._view.again()
        at, stamps = 0, _TimeStamps()
        try:
            with av.open(view, metadata_errors="ignore") as container:
                stream = container.streams.best("audio")
                if stream is None:
                    raise AudioFormatError(f"{self.name}: holds no audio")
                if stream.codec_context is None:
                    raise AudioFormatError(f"{self.name}: holds audio of a kind that FFmpeg does not know")
                stream.codec_context.options = {"err_detect": "crccheck+explode"}
                delay = _opus_delay(stream.codec_context)
                guessed = self._estimated or any(name in _GUESSED for name in container.format.name.split(","))
                if container.duration is not None and not guessed:
                    self._stated = container.duration / av.time_base
                for packet in container.demux(stream):
                    if packet.is_corrupt:
                        raise AudioFormatError(f"{self.name}: is damaged or cut short after {at} samples")
                    frames = [(_samples(frame), frame.sample_rate) for frame in stamps.follow(packet.decode())]
                    if delay > 0 and frames and packet.size:
                        # Newer FFmpeg cuts too little where the header names the rate from before the coding.
                        whole = _opus_samples(bytes(packet))
                        late = min(delay, whole) - (whole - sum(len(samples) for samples, _ in frames))
                        frames[0] = (frames[0][0][max(0, late) :], frames[0][1])
                        delay -= whole
                    for samples, rate in frames:
                        at += len(samples)
                        yield samples, rate
        except (av.FFmpegError, OSError, ValueError) as error:
            if isinstance(error, AudioFormatError):
                raise
            view.check(f"{self.name}: cannot be read after {at} samples")
            told = f"is damaged or cut short after {at} samples" if at else "is not audio that can be read"
            raise AudioFormatError(f"{self.name}: {told} ({_words(error)})") from error
        view.check(f"{self.name}: cannot be read after {at} samples")
        if stamps.count and not self._warned:
            self._warned = True
            warnings.warn(f"{self.name}: {stamps.message()}", EdgeVoiceWarning, stacklevel=2)

    def close(self) -> None:
        """Close the decoder. The file stays open: its owner closes it."""
        self._closed = True
        if self._begun is not None:
            self._begun[1].close()
            self._begun = None


class _TimeStamps:
    """Follows the time stamps of frames, and notices where they leave out audio."""

    def __init__(self) -> None:
        self._due: float | None = None  # the time stamp of the next frame, in seconds
        self._first = self._missing = 0.0  # seconds
        self.count = 0
        """The number of places where audio is left out."""

    def follow(self, frames: list[Any]) -> list[Any]:
        """Take the next frames, and return them."""
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                now = float(frame.pts * frame.time_base)
                if self._due is not None and now - self._due > _JUMP:
                    self._first = self._first if self.count else self._due
                    self._missing += now - self._due
                    self.count += 1
                self._due = now + frame.samples / frame.sample_rate
        return frames

    def message(self) -> str:
        """Say how much audio is left out, and where."""
        return (
            f"its time stamps leave out {self._missing:.1f} s in {self.count} place(s), the first at {self._first:.1f} s: "
            "audio may be missing there"
        )


def _samples(frame: Any) -> NDArray[Any]:
    """Samples (samples, channels) of one frame, of the type that the codec gives."""
    samples: NDArray[Any] = frame.to_ndarray()
    return samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)


def _opus_delay(codec: Any) -> int:
    """The number of samples at 48 kHz before an Opus recording begins; 0 for other codecs."""
    head = bytes(codec.extradata or b"")
    return int.from_bytes(head[10:12], "little") if head.startswith(b"OpusHead") else 0


def _opus_samples(packet: bytes) -> int:
    """The number of samples at 48 kHz in an Opus packet, read from its first bytes."""
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
