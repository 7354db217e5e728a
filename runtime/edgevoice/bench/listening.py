"""The way from sound to frame with a real microphone, in its parts."""

from __future__ import annotations

import time

import numpy as np

from edgevoice.bench.livestreams import Load
from edgevoice.bench.timing import Timing
from edgevoice.errors import ArgumentError, MicrophoneLostError
from edgevoice.microphone.capture import Capture
from edgevoice.microphone.timeline import Timeline

PARTS = ("sound to block", "block to thread", "computing", "sound to frame")
_SETTLE = 2.0
"""Seconds at the start that do not count: the clock of the samples is not known yet."""


def listen(load: Load, device: int | str | None, seconds: float) -> dict[str, Timing]:
    """Time the frames of a microphone, by `PARTS`; level and hop are those of the load.

    `sound to block` is from the capture of a window's last sample, as `Microphone` knows it, until PortAudio delivers the
    block with it; `block to thread` how long that block waits; `sound to frame` all together.

    Raises:
        EdgeVoiceError: there is no such device, it cannot be opened, or stops.
        ArgumentError: no frame came.
    """
    extractor, audio = load.extractor, load.extractor.config.audio
    capture = Capture(device, (audio.rate, None), channels=1, step=extractor.config.level.step / audio.rate)
    parts: list[tuple[float, ...]] = []
    try:
        stream, timeline = (
            extractor.stream(capture.rate, capture.channels, level=load.level, hop=load.hop),
            Timeline(capture.rate),
        )
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            block = capture.get(0.5)
            if isinstance(block, str):
                raise MicrophoneLostError(f"{capture.device.name}: stopped while it was measured")
            if block is None:
                continue
            taken = time.monotonic()
            if lost := timeline.place(block).total:
                stream.skip(lost)
            frames = stream.push(np.frombuffer(block.data, np.int16).reshape(-1, capture.channels))
            done = time.monotonic()
            for end in frames.end if taken > begun + _SETTLE else ():
                captured = timeline.captured(end)
                parts.append((block.arrived - captured, taken - block.arrived, done - taken, done - captured))
    finally:
        capture.close()
    if not parts:
        raise ArgumentError(f"{capture.device.name}: no frame in {seconds:g} s")
    times = np.maximum(np.array(parts), 1e-6).T  # the least delayed block of all is where the clock begins
    return {name: Timing(row) for name, row in zip(PARTS, times, strict=True)}
