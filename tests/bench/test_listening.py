"""From sound to frame with a microphone: a fake one, whose clock goes on as the test says."""

from __future__ import annotations

import threading
import time

import numpy as np

from edgevoice import Extractor
from edgevoice.bench.listening import PARTS, listen
from microphone.conftest import fake  # noqa: F401
from microphone.fakesounddevice import FakeSoundDevice


def speak(fake: FakeSoundDevice, blocks: int) -> None:  # noqa: F811
    """Give blocks of 50 ms as a device would, and break off."""
    while not fake.streams:
        time.sleep(0.01)
    for _ in range(blocks):
        fake.stream.give(np.full(800, 99, np.int16))
        time.sleep(0.05)
    fake.stream.abort()


def test_the_parts_make_the_whole(fake: FakeSoundDevice, tiny: Extractor) -> None:  # noqa: F811
    threading.Thread(target=speak, args=(fake, 200), daemon=True).start()
    timings = listen(tiny, None, "running", 0.1, 4.0)
    assert tuple(timings) == PARTS
    *parts, whole = (timing.seconds for timing in timings.values())
    assert len(whole) >= 3
    np.testing.assert_allclose(sum(parts), whole, atol=1e-4)
    assert timings["computing"].median > 1e-5
