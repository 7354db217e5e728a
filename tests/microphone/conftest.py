"""Two kinds of microphone: a real audio server with a virtual device, and a fake sounddevice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from edgevoice.microphone import capture, livestream, microphone, portaudio
from microphone.fakeclock import FakeClock
from microphone.fakesounddevice import FakeSoundDevice
from microphone.virtualmicrophone import VirtualMicrophone, missing


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    """A fake sounddevice in place of the module."""
    module = FakeSoundDevice()
    monkeypatch.setattr(portaudio, "open_streams", set())
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


@pytest.fixture
def clock(fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of microphones and of the fake sounddevice: it goes on with speaking, and with what `read` waits for."""
    fake.clock = clock = FakeClock()
    for module in (capture, livestream, microphone):
        monkeypatch.setattr(module, "time", clock)
    get = capture.BlockQueue.get

    def get_by_the_clock(blocks: capture.BlockQueue, timeout: float | None) -> object:
        item = get(blocks, None if timeout is None else 0)
        if item is None and timeout:
            clock.sleep(timeout)
        return item

    monkeypatch.setattr(capture.BlockQueue, "get", get_by_the_clock)
    return clock


@pytest.fixture
def virtual_microphone() -> Iterator[Callable[..., VirtualMicrophone]]:
    """Make a virtual microphone on an audio server of its own; the arguments are VirtualMicrophone's."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(VirtualMicrophone(*arguments, **options))


@pytest.fixture(scope="session")
def voice() -> np.ndarray:
    """Ten seconds of loud noise, int16 at 16 kHz: no two blocks are alike."""
    return np.random.default_rng(3).integers(-9000, 9000, 160_000).astype(np.int16)
