"""Microphones: a virtual one, and a fake sounddevice with its clock."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from edgevoice.microphone import capture, devices, microphone
from microphone.fakesounddevice import FakeClock, FakeSoundDevice
from microphone.virtualmicrophone import VirtualMicrophone


@pytest.fixture
def sink(virtual_microphone: Callable[..., VirtualMicrophone]) -> VirtualMicrophone:
    """A virtual microphone that runs by itself."""
    return virtual_microphone("sink")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    """A fake sounddevice in place of the module."""
    module = FakeSoundDevice()
    monkeypatch.setattr(devices, "open_streams", set())
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


@pytest.fixture
def clock(fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of microphones and of the fake sounddevice: it goes on with speaking, and with what `read` waits for."""
    fake.clock = clock = FakeClock()
    for module in (capture, microphone):
        monkeypatch.setattr(module, "time", clock)
    get = capture.Capture.get

    def get_by_the_clock(listening: capture.Capture, timeout: float | None) -> object:
        item = get(listening, None if timeout is None else 0)
        if item is None and timeout:
            clock.sleep(timeout)
        return item

    monkeypatch.setattr(capture.Capture, "get", get_by_the_clock)
    return clock
