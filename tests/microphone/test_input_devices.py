"""Finding and listing input devices, and which form of one is opened. All with a fake sounddevice."""

from __future__ import annotations

from typing import Any

import pytest

from edgevoice import ArgumentError, MicrophoneNotFoundError, MicrophoneOpenError
from edgevoice.microphone.capture import BlockQueue, Capture, CaptureRequest, open_capture
from edgevoice.microphone.devices import find_input, input_devices
from microphone.fakesounddevice import FakeSoundDevice, PortAudioError


def opened(device: int | str | None = None, **options: Any) -> Capture:
    options = {"rate": 16000, "other_rate": True, "channels": 1, "step": 0.05, **options}
    return open_capture(CaptureRequest(device, **options), BlockQueue(200))


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
    capture = opened()
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
    assert (opened(rate=44100, other_rate=False).rate, fake.stream.channels) == (44100, 2)
    with pytest.raises(MicrophoneOpenError):
        opened(rate=48000, other_rate=False)
    fake.attempts.clear()
    with pytest.raises(MicrophoneOpenError):
        opened(form=(8000, 1))  # as when a lost device is opened again
    assert fake.attempts == [(0, 8000, 1)]
    fake.forms = {(8000, 1)}
    with pytest.raises(MicrophoneOpenError, match=r"16000 Hz with 1 channel\(s\), 16000 Hz with 2"):
        opened()


def test_a_busy_device_is_an_error_at_the_first_attempt(fake: FakeSoundDevice) -> None:
    fake.failure = PortAudioError("Error opening RawInputStream: Device unavailable", -9985)
    with pytest.raises(MicrophoneOpenError, match=r"busy.*Device unavailable"):
        opened()
    assert len(fake.attempts) == 1
    fake.failure = PortAudioError("Unanticipated host error", -9999, (8, -2, "No such file or directory"))
    with pytest.raises(MicrophoneOpenError, match=r"Unanticipated host error: No such file"):
        opened()


@pytest.mark.parametrize(("step", "block"), [(0.05, 0.05), (0.01, 0.05), (0.004, 0.048), (0.25, 0.25 / 3), (1.0, 0.1)])
def test_blocks_fit_into_the_steps_of_the_level(step: float, block: float) -> None:
    request = CaptureRequest(None, 16000, True, 1, step)
    assert request.block == pytest.approx(block)
    assert min(abs(step / block - round(step / block)), abs(block / step - round(block / step))) < 1e-9
