"""Calls to PortAudio: their thread, their deadlines, what is missing. All with a fake sounddevice, or none."""

from __future__ import annotations

import builtins
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from edgevoice import MicrophoneOpenError, MissingPackageError
from edgevoice.microphone import portaudio
from edgevoice.microphone.devices import input_devices
from microphone.fakesounddevice import FakeSoundDevice, PortAudioError


def test_calls_return_and_raise_what_the_function_does(fake: FakeSoundDevice) -> None:
    def fail() -> None:
        raise PortAudioError("Device unavailable", -9985)

    assert portaudio.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        portaudio.call(lambda: 1 // 0)
    with pytest.raises(MicrophoneOpenError):
        portaudio.call(fail)


def test_a_call_that_hangs_is_given_up_and_its_late_result_disposed_of() -> None:
    goes_on, disposed = threading.Event(), threading.Event()
    with pytest.raises(MicrophoneOpenError):
        portaudio.call(lambda: goes_on.wait(10), patience=0.5, late=lambda _: disposed.set())
    never: list[int] = []
    with pytest.raises(MicrophoneOpenError):
        portaudio.call(lambda: never.append(1), patience=0.25)
    goes_on.set()
    assert disposed.wait(5)
    assert portaudio.call(lambda: 1) == 1
    assert never == []


def _import_raising(error: Exception) -> Callable[..., Any]:
    original = builtins.__import__

    def imported(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "sounddevice":
            raise error
        return original(name, *arguments, **options)

    return imported


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (ImportError("no module"), MissingPackageError, "pip install sounddevice"),
        (OSError("PortAudio library not found"), MissingPackageError, "apt install libportaudio2"),
        (PortAudioError("Error initializing PortAudio"), MicrophoneOpenError, "does not start"),
    ],
)
def test_what_is_missing_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception], words: str
) -> None:
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", _import_raising(error))
    with pytest.raises(expected, match=words) as caught:
        input_devices()
    assert "\n" not in str(caught.value)


def test_ticks_do_not_expire_while_the_process_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(threading.Event):
        """Each wait takes an hour by the clock."""

        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout == portaudio.TICK
            self.waits += 1
            return self.waits == 8

    event = Stopped()
    assert portaudio.wait(event, 2.0)
    assert not portaudio.wait(Stopped(), 1.75)


def test_a_forked_child_is_told_that_microphones_do_not_work_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio, "_processes", [os.getpid() + 1])
    with pytest.raises(MicrophoneOpenError):
        portaudio.call(lambda: None)
