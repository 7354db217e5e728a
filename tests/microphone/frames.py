"""Frames of a microphone, and what they should be."""

from __future__ import annotations

import numpy as np

import edgevoice
from edgevoice import Microphone
from edgevoice.microphone.livestream import LiveFrame


def take(microphone: Microphone) -> list[LiveFrame]:
    """The frames of what the microphone has heard so far."""
    return list(iter(lambda: microphone.read(timeout=0), None))


def assert_equal(frames: list[LiveFrame], features: edgevoice.Features) -> None:
    assert [frame.position for frame in frames] == features.position.tolist()
    np.testing.assert_array_equal([frame.values for frame in frames], features.values)
