"""The input devices of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgevoice.errors import MicrophoneNotFoundError
from edgevoice.microphone import portaudio

COMMON_RATES = (8000, 16000, 22050, 32000, 44100, 48000, 96000)
"""Sampling rates that are tried on a device, in hertz."""


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device that PortAudio can capture from."""

    index: int
    """PortAudio's number for it; it can change when devices come and go."""
    name: str
    host: str
    """The audio system of the device, such as ALSA, Core Audio or Windows WASAPI."""
    channels: int
    """Largest number of channels."""
    rate: int
    """The default sampling rate, in hertz. Audio servers report one that may differ from that of the hardware."""
    default: bool
    """Whether it is the default input device."""


def input_devices(*, refresh: bool = False) -> list[InputDevice]:
    """All input devices, in PortAudio's order.

    Where the audio server hangs, this waits for 5 s before it raises: a graphical program calls it in a thread.

    Args:
        refresh: whether to find devices that were plugged in after the first listing. That restarts PortAudio, so no
            microphone may be open, and indices may change.

    Raises:
        MissingPackageError: sounddevice or PortAudio is not installed.
        MicrophoneOpenError: the audio server hangs; or a microphone is open, and `refresh` would end it.
    """
    return portaudio.call(lambda: _list(portaudio.restart() if refresh else portaudio.load()))


def supported_rates(device: InputDevice) -> list[int]:
    """Common sampling rates, in hertz, that a device supports for 16-bit samples; none while it is busy.

    Raises:
        MicrophoneOpenError: the audio server hangs.
    """
    return portaudio.call(lambda: [rate for rate in COMMON_RATES if _takes(device, rate)])


def find_input(device: int | str | None) -> InputDevice:
    """Find the input device with an index, or with a part of its name. PortAudio's thread calls this.

    If a name matches several devices, the one with exactly this name is used, otherwise the only one in the audio system of
    the default device (Windows lists each device once per system).

    Raises:
        MicrophoneNotFoundError: there is none, or the name fits several.
    """
    devices = _list(portaudio.load())
    chosen = _fitting(devices, device)
    if not chosen and not portaudio.open_streams:
        # It may have been plugged in, or the audio server started, since PortAudio looked.
        devices = _list(portaudio.restart())
        chosen = _fitting(devices, device)
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(f"{entry.index} ({entry.name}, {entry.host})" for entry in chosen or devices)
    if not devices:
        words = "there is no input device: is a microphone plugged in, and the audio server running?"
    elif chosen:
        words = f"device {device!r}: several devices have this in their names: {names}; give the index"
    elif device is None:
        words = f"there is no default input device: name one; there are {names}"
    else:
        part = "index" if isinstance(device, int) else "in its name"
        words = f"device {device!r}: no input device has this {part}; there are {names}"
    raise MicrophoneNotFoundError(words)


def _list(sounddevice: Any) -> list[InputDevice]:
    hosts = [entry["name"] for entry in sounddevice.query_hostapis()]
    found: list[InputDevice] = []
    try:
        default = sounddevice.query_devices(kind="input")["index"]
    except (sounddevice.PortAudioError, ValueError):
        default = None
    index = -1
    while True:
        index += 1
        try:
            entry = sounddevice.query_devices(index)
        except UnicodeDecodeError:  # sounddevice can neither list nor open one whose name is not UTF-8
            continue
        except (sounddevice.PortAudioError, ValueError):
            return found
        name, host, channels = entry["name"], hosts[entry["hostapi"]], entry["max_input_channels"]
        if channels > 0:
            found.append(InputDevice(index, name, host, channels, round(entry["default_samplerate"]), index == default))


def _takes(device: InputDevice, rate: int) -> bool:
    sounddevice = portaudio.load()
    for channels in sorted({1, device.channels}):
        try:
            sounddevice.check_input_settings(device=device.index, channels=channels, dtype="int16", samplerate=rate)
        except sounddevice.PortAudioError:
            continue
        return True
    return False


def _fitting(devices: list[InputDevice], device: int | str | None) -> list[InputDevice]:
    if not isinstance(device, str):
        return [entry for entry in devices if (entry.default if device is None else entry.index == device)]
    part = device.lower()
    fitting = [entry for entry in devices if part in f"{entry.name}, {entry.host}".lower()]
    if len(fitting) > 1:
        fitting = [entry for entry in fitting if entry.name.lower() == part] or fitting
    if len(fitting) > 1:
        host = next((entry.host for entry in devices if entry.default), None)
        fitting = [entry for entry in fitting if entry.host == host] or fitting
    return fitting
