"""Frames of a microphone, and what they should be."""

from __future__ import annotations

import numpy as np

import edgevoice
from edgevoice import Frame, Microphone


def take(microphone: Microphone) -> list[Frame]:
    """The frames of what the microphone has heard so far."""
    return list(iter(lambda: microphone.read(timeout=0), None))


def assert_equal(frames: list[Frame], features: edgevoice.Features) -> None:
    assert [frame.start for frame in frames] == features.start.tolist()
    np.testing.assert_array_equal([frame.values for frame in frames], features.values)
