"""The one way to PortAudio, through sounddevice: one thread makes all calls, in order, and every wait for it ends.

PortAudio's functions are not safe to call from several threads, and they hang while the audio server does: opening,
closing and even listing devices.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from edgevoice.errors import MicrophoneOpenError, MissingPackageError, missing

PATIENCE = 5.0
"""How long a call is waited for, in seconds of running time."""
TICK = 0.25
"""Seconds between two checks: four wake-ups per second cost nothing, and a device that stops is noticed soon enough."""

Result = TypeVar("Result")


def wait(event: threading.Event, seconds: float) -> bool:
    """Wait for an event, at most `seconds` of this process's own running time; return whether it came.

    A process that was stopped (SIGSTOP, a debugger, a suspended machine) wakes up to time-outs that expired while
    nothing could happen. Ticks do not expire: however long one took by the clock, it counts as one.
    """
    return any(event.wait(TICK) for _ in range(math.ceil(seconds / TICK)))


_calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
_starting = threading.Lock()
_processes: list[int] = []
"""The process that has the thread which makes the calls."""


def _put(function: Callable[[], object]) -> None:
    """Let the thread call a function that does not raise."""
    with _starting:
        if not _processes:
            # A daemon, because a call that hangs must not keep the process alive.
            thread = threading.Thread(target=_make_calls, name="PortAudio", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise MicrophoneOpenError("a microphone needs a thread, and the system has none left") from error
            _processes.append(os.getpid())
        if _processes != [os.getpid()]:
            raise MicrophoneOpenError(
                "PortAudio was in use when this process was forked, and does not work in the child: start processes with "
                "multiprocessing's 'spawn', or use microphones only in the child"
            )
    _calls.put(function)


def _make_calls() -> None:
    while True:
        _calls.get()()


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


open_streams: set[object] = set()
"""Open captures; for PortAudio's thread."""


def restart() -> Any:
    """Let PortAudio search for devices again, which it only does when it starts; return `sounddevice`."""
    if open_streams:
        raise MicrophoneOpenError(
            "PortAudio looks for new devices only when it starts, and a new start would end the microphone that is open: "
            "close it first"
        )
    module = load()
    module._terminate()  # noqa: SLF001 - sounddevice has no public way
    module._initialize()  # noqa: SLF001
    return module


def _leave() -> None:
    """Terminate PortAudio as sounddevice does at exit, without hanging where the audio server does."""
    leave = getattr(sys.modules.get("sounddevice"), "_exit_handler", None)
    if leave is not None:
        atexit.unregister(leave)
        # After the calls that are under way: PortAudio crashes when the process ends in the middle of one.
        with contextlib.suppress(Exception, KeyboardInterrupt):
            call(leave, patience=1.0)
