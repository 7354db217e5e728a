"""Calls to PortAudio, input devices, and which form of one is opened: with a fake sounddevice, or none."""

from __future__ import annotations

import builtins
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from edgevoice import ArgumentError, MicrophoneNotFoundError, MicrophoneOpenError, MissingPackageError
from edgevoice.microphone import devices
from edgevoice.microphone.capture import Capture, block_length
from edgevoice.microphone.devices import find_input, input_devices
from edgevoice.threads import ThreadPool
from microphone.fakesounddevice import FakeSoundDevice, PortAudioError


def opened(device: int | str | None = None, *, rates: tuple[int | None, ...] = (16000, None), channels: int = 1) -> Capture:
    """What was opened and is closed again."""
    capture = Capture(device, rates, channels, step=0.05)
    capture.close()
    return capture


def test_a_device_is_found_by_index_default_or_part_of_its_name_an_exact_one_first(fake: FakeSoundDevice) -> None:
    assert find_input(None).index == find_input("FAKE MIC").index == 0
    fake.add("Headset")
    assert find_input(1).name == find_input("head").name == "Headset"
    fake.add("Headset two")
    fake.add("Line in", host=0)
    fake.add("Line in", host=1)
    assert find_input("headset").index == 1
    assert find_input("line").index == 3
    with pytest.raises(MicrophoneNotFoundError, match=r"names: 1 \(Headset, ALSA\), 2 \(Headset two, ALSA\)"):
        find_input("heads")


@pytest.mark.parametrize("device", [7, -1, "nothing", "Loudspeaker"])
def test_an_unknown_device_is_an_error_that_lists_those_there_are(fake: FakeSoundDevice, device: int | str) -> None:
    fake.add("Loudspeaker", channels=0)
    with pytest.raises(MicrophoneNotFoundError, match="Fake microphone"):
        find_input(device)


def test_a_device_whose_name_is_not_utf_8_is_left_out(fake: FakeSoundDevice) -> None:
    fake.add(b"m_\xff\xfe")
    fake.add("Headset")
    assert [(device.index, device.name) for device in input_devices()] == [(0, "Fake microphone"), (2, "Headset")]
    assert find_input("headset").index == 2


def test_no_device_at_all_makes_portaudio_look_again(fake: FakeSoundDevice) -> None:
    fake.default = None
    with pytest.raises(MicrophoneNotFoundError, match="no default input device"):
        find_input(None)
    fake.devices.clear()
    with pytest.raises(MicrophoneNotFoundError, match="audio server"):
        find_input(None)
    assert fake.restarts == 2


def test_a_new_device_is_seen_on_refresh_and_found_by_its_name(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged = ["New headset"]

    def look_again() -> None:
        while plugged:
            fake.add(plugged.pop())

    monkeypatch.setattr(fake, "_initialize", look_again)
    assert [device.name for device in input_devices()] == ["Fake microphone"]
    assert fake.restarts == 0
    assert [device.name for device in input_devices(refresh=True)] == ["Fake microphone", "New headset"]
    plugged.append("Newer headset")
    assert find_input("newer").index == 2


def test_looking_for_devices_never_ends_a_microphone(fake: FakeSoundDevice) -> None:
    capture = Capture(None, (16000,), channels=1, step=0.05)
    with pytest.raises(MicrophoneOpenError, match="close it first"):
        input_devices(refresh=True)
    with pytest.raises(MicrophoneNotFoundError):
        find_input("nothing")
    assert fake.restarts == 0
    assert [device.name for device in input_devices()] == ["Fake microphone"]
    capture.close()
    assert input_devices(refresh=True)
    assert fake.restarts == 1


@pytest.mark.parametrize(
    ("takes", "rate", "channels", "attempts"),
    [
        ({(16000, 1), (44100, 1)}, 16000, 1, 1),
        ({(44100, 1), (44100, 2)}, 44100, 1, 4),
        ({(16000, 2), (44100, 2)}, 16000, 2, 2),
        ({(44100, 6)}, 44100, 6, 6),
    ],
)
def test_the_models_rate_comes_first_and_then_as_few_channels_as_the_device_takes(
    fake: FakeSoundDevice, takes: set[tuple[int, int]], rate: int, channels: int, attempts: int
) -> None:
    fake.add("Array", channels=6, rate=44100)
    fake.forms = takes
    capture = opened(1)
    assert (capture.rate, capture.channels, fake.stream.size) == (rate, channels, round(0.05 * rate))
    assert fake.attempts == [(1, rate, count) for rate in (16000, 44100) for count in (1, 2, 6)][:attempts]


def test_what_was_asked_for_is_the_only_thing_tried(fake: FakeSoundDevice) -> None:
    assert opened(channels=2).channels == 2
    with pytest.raises(ArgumentError):
        opened(channels=3)
    fake.forms = {(16000, 1), (44100, 2)}
    assert (opened(rates=(44100,)).rate, fake.stream.channels) == (44100, 2)
    with pytest.raises(MicrophoneOpenError):
        opened(rates=(48000,))
    fake.forms = {(8000, 1)}
    with pytest.raises(MicrophoneOpenError, match=r"16000 Hz with 1 channel\(s\), 16000 Hz with 2"):
        opened()


def test_a_busy_device_is_an_error_at_the_first_attempt(fake: FakeSoundDevice) -> None:
    fake.failure = PortAudioError("Error opening RawInputStream: Device unavailable", -9985)
    with pytest.raises(MicrophoneOpenError, match=r"busy.*Device unavailable"):
        opened()
    assert len(fake.attempts) == 1
    fake.failure = PortAudioError("Unanticipated host error", -9999, (8, -2, "No such file or directory"))
    with pytest.raises(MicrophoneOpenError, match=r"Unanticipated host error.*No such file"):
        opened()


@pytest.mark.parametrize(("step", "block"), [(0.05, 0.05), (0.01, 0.05), (0.004, 0.048), (0.25, 0.25 / 3), (1.0, 0.1)])
def test_blocks_fit_into_the_steps_of_the_level(step: float, block: float) -> None:
    assert block_length(step) == pytest.approx(block)
    assert min(abs(step / block - round(step / block)), abs(block / step - round(block / step))) < 1e-9


def test_calls_return_and_raise_what_the_function_does(fake: FakeSoundDevice) -> None:
    def fail() -> None:
        raise PortAudioError("Device unavailable", -9985)

    assert devices.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        devices.call(lambda: 1 // 0)
    with pytest.raises(MicrophoneOpenError):
        devices.call(fail)


def test_a_call_that_hangs_is_given_up_and_its_late_result_disposed_of() -> None:
    goes_on, disposed = threading.Event(), threading.Event()
    with pytest.raises(MicrophoneOpenError):
        devices.call(lambda: goes_on.wait(10), patience=0.5, late=lambda _: disposed.set())
    never: list[int] = []
    with pytest.raises(MicrophoneOpenError):
        devices.call(lambda: never.append(1), patience=0.25)
    goes_on.set()
    assert disposed.wait(5)
    assert devices.call(lambda: 1) == 1
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
            assert timeout == devices.TICK
            self.waits += 1
            return self.waits == 8

    event = Stopped()
    assert devices.wait(event, 2.0)
    assert not devices.wait(Stopped(), 1.75)


def test_a_forked_child_is_told_that_microphones_do_not_work_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_started", [(os.getpid() + 1, ThreadPool(0, "none"))])
    with pytest.raises(MicrophoneOpenError):
        devices.call(lambda: None)
