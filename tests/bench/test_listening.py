"""From sound to frame with a microphone, a fake one."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edgevoice import ArgumentError, Extractor, MicrophoneLostError, MicrophoneNotFoundError
from edgevoice.bench import benchmark
from edgevoice.bench.listening import PARTS, listen
from edgevoice.bench.livestreams import Load
from edgevoice.bench.timing import Timing
from microphone.conftest import fake  # noqa: F401
from microphone.fakesounddevice import FakeSoundDevice


@pytest.fixture
def load(tiny: Extractor) -> Load:
    return Load(tiny, np.zeros(1, np.float32), "running", 0.1)


def speak(fake: FakeSoundDevice, blocks: int) -> None:  # noqa: F811
    """Give blocks of 50 ms as a device would, and break off."""
    while not fake.streams:
        time.sleep(0.01)
    for _ in range(blocks):
        fake.stream.give(np.full(800, 99, np.int16))
        time.sleep(0.05)
    fake.stream.end()


def test_the_parts_make_the_whole(fake: FakeSoundDevice, load: Load) -> None:  # noqa: F811
    threading.Thread(target=speak, args=(fake, 200), daemon=True).start()
    timings = listen(load, None, 4.0)
    assert tuple(timings) == PARTS
    *parts, whole = (timing.seconds for timing in timings.values())
    assert len(whole) >= 3
    np.testing.assert_allclose(sum(parts), whole, atol=1e-4)
    assert timings["computing"].median > 1e-5
    assert "close" in fake.stream.calls


def test_what_stops_it(fake: FakeSoundDevice, load: Load) -> None:  # noqa: F811
    with pytest.raises(MicrophoneNotFoundError):
        listen(load, "nothing", 1.0)
    with pytest.raises(ArgumentError, match=r"no frame in 0.2 s"):
        listen(load, None, 0.2)
    fake.streams.clear()
    threading.Thread(target=speak, args=(fake, 3), daemon=True).start()
    with pytest.raises(MicrophoneLostError):
        listen(load, None, 20.0)


@pytest.mark.parametrize(("name", "device"), [("", None), ("2", 2), ("USB", "USB")])
def test_its_parts_are_stages_of_the_report(
    tiny: Extractor, monkeypatch: pytest.MonkeyPatch, name: str, device: object
) -> None:
    asked = []
    heard = {part: Timing(np.ones(3)) for part in PARTS}
    monkeypatch.setattr(benchmark, "listen", lambda _, device, __: asked.append(device) or heard)
    report = benchmark.run_benchmark(tiny, rounds=2, microphone=name)
    assert asked == [device]
    assert report.to_dict()["stages"]["sound to frame"]["p50_ms"] == 1000
    assert "sound to block" in report.table()
