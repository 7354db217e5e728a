"""Frames as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edgevoice.features import Frame


class JsonLines:
    """Writes one frame per line and flushes it at once, so that a program that reads the pipe receives it without delay.

    The keys are `index`, `position` (first sample at the model's rate), `start`, `end` (seconds), `silent`, `gap`,
    `loudness` (dB), `time` (wall clock at the window's end) and `latency`, both null unless the frame is live,
    `bottleneck`, `error`.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, frames: Iterable[Frame]) -> None:
        """Add frames: a `Features` block, or any others in order."""
        for frame in frames:
            self._file.write(frame_json(frame).encode() + b"\n")
            self._file.flush()


def frame_json(frame: Frame) -> str:
    """A frame as one line of JSON; its numbers read back as float32 give the same bits."""
    head = json.dumps(frame.place(), allow_nan=False).removesuffix("}")
    return f'{head}, "bottleneck": {_array(frame.bottleneck)}, "error": {_array(frame.error)}}}'


def _array(values: NDArray[np.float32]) -> str:
    # str of a NumPy float32 is the shortest decimal that reads back as the same float32; json.dumps would write a double.
    return f"[{', '.join(map(str, values))}]"
