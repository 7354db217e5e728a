"""Frames of audio that arrives in a callback of your own: here sounddevice's, in a plug-in or a game engine the host's.

    pip install '.[cpu,mic]'
    python live_callback.py [SECONDS]

The callback copies and returns: computing a frame takes milliseconds, too long for the thread that plays or captures.
What did not arrive is counted with `skip`, so that positions stay true.
"""

from __future__ import annotations

import queue
import sys
from typing import Any

import numpy as np
import sounddevice
from numpy.typing import NDArray

import edgevoice

RATE = 48_000


def main(seconds: float = 10.0) -> None:
    """Print a line for each frame."""
    blocks: queue.SimpleQueue[tuple[NDArray[np.int16], bool]] = queue.SimpleQueue()

    def callback(samples: NDArray[np.int16], count: int, times: Any, status: sounddevice.CallbackFlags) -> None:  # noqa: ARG001
        blocks.put((samples.copy(), bool(status.input_overflow)))

    stream = edgevoice.load("cae-256").stream(rate=RATE)
    with sounddevice.InputStream(RATE, channels=1, dtype="int16", callback=callback):
        while stream.position < seconds * RATE:
            samples, overflow = blocks.get()
            if overflow:
                # The host does not say how much was lost; a frame that touches this place has `gap` set.
                stream.skip(1)
            for frame in stream.push(samples):
                print(f"{frame.end:.2f} s  gap {frame.gap}  {frame.bottleneck[:3].round(2)}", flush=True)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
