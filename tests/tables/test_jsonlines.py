"""Frames as JSON Lines."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import strategies as st

from edgevoice.features import Frame, Group, Layout
from edgevoice.tables.jsonlines import JsonLines, frame_json
from edgevoice.windows import FACTS

LAYOUT = Layout((Group("bottleneck", 2), Group("error", 3)), 16000, 8000)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def frame(values: list[float]) -> Frame:
    facts = np.array([(3, 12000, False, True, -20.5, 0.0, 1.0)], FACTS)[0]
    return Frame(np.array(values, np.float32), facts, LAYOUT)


def test_a_line_is_a_frame() -> None:
    text = frame_json(frame([0.1, 1e-8, 1, 2, 3]))
    assert text == (
        '{"index": 3, "position": 12000, "start": 0.75, "end": 1.25, "silent": false, "gap": true, "loudness": -20.5, '
        '"time": null, "latency": null, "bottleneck": [0.1, 1e-08], "error": [1.0, 2.0, 3.0]}'
    )


class Pipe(io.BytesIO):
    """Remembers what was there at every flush."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: list[int] = []

    def flush(self) -> None:
        self.flushed.append(self.getvalue().count(b"\n"))


def test_every_line_is_flushed() -> None:
    pipe = Pipe()
    JsonLines(pipe).write([frame([0, 0, 0, 0, 0])] * 3)
    assert pipe.flushed == [1, 2, 3]
