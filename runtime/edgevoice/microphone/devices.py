"""The input devices of this machine, and the one way to PortAudio: one thread makes all calls, and every wait for it ends.

PortAudio's functions are not safe to call from several threads, and they hang while the audio server does: opening,
closing and even listing devices.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import math
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from edgevoice.errors import MicrophoneNotFoundError, MicrophoneOpenError, MissingPackageError, missing
from edgevoice.threads import ThreadPool

COMMON_RATES = (8000, 16000, 22050, 32000, 44100, 48000, 96000)
"""Sampling rates that are tried on a device, in hertz."""
PATIENCE = 5.0
"""How long a call is waited for, in seconds of running time."""
TICK = 0.25
"""Seconds between two checks: four wake-ups per second cost nothing, and a device that stops is noticed soon enough."""

Result = TypeVar("Result")


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
    return call(lambda: _list(restart=refresh))


def supported_rates(device: InputDevice) -> list[int]:
    """Common sampling rates, in hertz, that a device supports for 16-bit samples; none while it is busy.

    Raises:
        MicrophoneOpenError: the audio server hangs.
    """

    def takes(rate: int, channels: int) -> bool:
        sounddevice = load()
        try:
            sounddevice.check_input_settings(device=device.index, channels=channels, dtype="int16", samplerate=rate)
        except sounddevice.PortAudioError:
            return False
        return True

    return call(lambda: [rate for rate in COMMON_RATES if takes(rate, 1) or takes(rate, device.channels)])


def find_input(device: int | str | None) -> InputDevice:
    """Find the input device with an index, or with a part of its name. PortAudio's thread calls this.

    If a name matches several devices, the one with exactly this name is used, otherwise the only one in the audio system of
    the default device (Windows lists each device once per system).

    Raises:
        MicrophoneNotFoundError: there is none, or the name fits several.
    """
    devices = _list()
    chosen = _fitting(devices, device)
    if not chosen and not open_streams:
        # It may have been plugged in, or the audio server started, since PortAudio looked.
        devices = _list(restart=True)
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


def _list(*, restart: bool = False) -> list[InputDevice]:
    """All input devices; PortAudio only searches for new ones when it starts."""
    sounddevice = load()
    if restart and open_streams:
        raise MicrophoneOpenError(
            "PortAudio looks for new devices only when it starts, and a new start would end the microphone that is open: "
            "close it first"
        )
    if restart:
        sounddevice._terminate()  # noqa: SLF001 - sounddevice has no public way
        sounddevice._initialize()  # noqa: SLF001
    hosts = [entry["name"] for entry in sounddevice.query_hostapis()]
    found: list[InputDevice] = []
    try:
        default = sounddevice.query_devices(kind="input")["index"]
    except (sounddevice.PortAudioError, ValueError):
        default = None
    for index in itertools.count():
        try:
            entry = sounddevice.query_devices(index)
        except UnicodeDecodeError:  # sounddevice can neither list nor open one whose name is not UTF-8
            continue
        except (sounddevice.PortAudioError, ValueError):
            break
        name, host, channels = entry["name"], hosts[entry["hostapi"]], entry["max_input_channels"]
        if channels > 0:
            found.append(InputDevice(index, name, host, channels, round(entry["default_samplerate"]), index == default))
    return found


open_streams: set[object] = set()
"""Devices that are open; for PortAudio's thread."""


def load() -> Any:
    """Import `sounddevice`, in PortAudio's thread; a MissingPackageError or MicrophoneOpenError says why it cannot be."""
    known = "sounddevice" in sys.modules
    try:
        import sounddevice
    except ImportError as error:
        raise missing("sounddevice", "a microphone") from error
    except OSError as error:
        raise MissingPackageError(
            "PortAudio is not installed: apt install libportaudio2 (Debian, Ubuntu), dnf install portaudio (Fedora), "
            "pacman -S portaudio (Arch), brew install portaudio (macOS)"
        ) from error
    except Exception as error:  # a PortAudioError, whose class is in the module that was not imported
        raise MicrophoneOpenError(f"PortAudio does not start: {error}") from error
    if not known:
        atexit.register(_leave)
    return sounddevice


def _leave() -> None:
    """Terminate PortAudio as sounddevice does at exit, without hanging where the audio server does."""
    leave = getattr(sys.modules.get("sounddevice"), "_exit_handler", None)
    if leave is not None:
        atexit.unregister(leave)
        # After the calls that are under way: PortAudio crashes when the process ends in the middle of one.
        with contextlib.suppress(Exception, KeyboardInterrupt):
            call(leave, patience=1.0)


def wait(event: threading.Event, seconds: float) -> bool:
    """Wait for an event, at most `seconds` of this process's own running time; return whether it came.

    A process that was stopped (SIGSTOP, a debugger, a suspended machine) wakes up to time-outs that expired while
    nothing could happen. Ticks do not expire: however long one took by the clock, it counts as one.
    """
    return any(event.wait(TICK) for _ in range(math.ceil(seconds / TICK)))


def call(
    function: Callable[[], Result], *, patience: float = PATIENCE, late: Callable[[Result], object] = lambda _: None
) -> Result:
    """Let PortAudio's thread call a function; return what it returns, or raise what it raises.

    It is waited for `patience` seconds of running time; if it has not begun by then, it is never called. `late` gets a
    result that comes after all. Without an answer, and for an error of PortAudio's, there is a MicrophoneOpenError.
    """
    future: Future[Result] = Future()
    answered, in_time = threading.Event(), False
    future.add_done_callback(lambda _: answered.set())

    def make() -> None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
                future.set_exception(error)

    def dispose() -> None:
        with contextlib.suppress(BaseException):  # nobody waits for an error any more
            late(future.result())

    _put(make)
    try:
        in_time = wait(answered, patience)
    finally:  # after Ctrl-C too
        if not in_time and not future.cancel():
            # The call is running, or has just ended. Calls run in order, so the next one finds its result.
            _put(dispose)
    if not in_time:
        raise MicrophoneOpenError(f"PortAudio did not answer within {patience:g} s: the audio server hangs")
    try:
        return future.result()
    except Exception as error:
        if isinstance(error, getattr(sys.modules.get("sounddevice"), "PortAudioError", ())):
            raise MicrophoneOpenError(f"PortAudio: {error}") from error
        raise


_starting = threading.Lock()
_started: list[tuple[int, ThreadPool]] = []
"""The process that has the thread which makes the calls, and this thread."""


def _put(function: Callable[[], object]) -> None:
    """Let the thread call a function that does not raise."""
    with _starting:
        if not _started:
            thread = ThreadPool(1, "PortAudio")
            if not thread:
                raise MicrophoneOpenError("a microphone needs a thread, and the system has none left")
            thread.close.atexit = False  # a call that hangs must not keep the process alive
            _started.append((os.getpid(), thread))
        ((process, thread),) = _started
    if process != os.getpid():
        raise MicrophoneOpenError(
            "PortAudio was in use when this process was forked, and does not work in the child: start processes with "
            "multiprocessing's 'spawn', or use microphones only in the child"
        )
    thread.submit(function)
