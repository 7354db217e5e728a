"""The one way to PortAudio, through sounddevice: one thread makes all calls, in order, and nobody waits for it for ever.

PortAudio's functions are not safe to call from several threads, and they hang while the audio server does: opening,
closing and even listing devices.
"""

from __future__ import annotations

import atexit
import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from edgevoice.errors import MicrophoneOpenError, MissingPackageError
from edgevoice.microphone.runningtime import wait

PATIENCE = 5.0
"""Seconds of running time that a call is waited for."""

Result = TypeVar("Result")


class _Call(Generic[Result]):
    """A function to be called by PortAudio's thread, and what became of it."""

    def __init__(self, function: Callable[[], Result], late: Callable[[Result], object] | None) -> None:
        self._function, self._late = function, late
        self._lock = threading.Lock()
        self._given_up = threading.Event()
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        if self._given_up.is_set():
            return
        try:
            self._results.append(self._function())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._error = error
        with self._lock:
            self.done.set()
        if self._given_up.is_set() and self._late is not None:
            for result in self._results:
                self._late(result)

    def give_up(self) -> bool:
        """Stop waiting; return whether the result is missing indeed."""
        with self._lock:
            if not self.done.is_set():
                self._given_up.set()
            return self._given_up.is_set()

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._results[0]


class _Caller:
    """The thread that makes the calls: a daemon, for a call that hangs must not keep the process alive."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[_Call[Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, call: _Call[Any]) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._calls = queue.SimpleQueue()
                self._thread = threading.Thread(target=self._run, args=(self._calls,), name="PortAudio", daemon=True)
                self._thread.start()
        self._calls.put(call)

    @staticmethod
    def _run(calls: queue.SimpleQueue[_Call[Any]]) -> None:
        while True:
            calls.get().run()


_caller = _Caller()


def call(
    function: Callable[[], Result], *, patience: float = PATIENCE, late: Callable[[Result], object] | None = None
) -> Result:
    """Let PortAudio's thread call a function; return what it returns, or raise what it raises.

    Args:
        function: what to call.
        patience: seconds of running time to wait for it.
        late: called with the result when it comes after all.

    Raises:
        MicrophoneOpenError: there was no answer in time, or an error of PortAudio's.
    """
    pending = _Call(function, late)
    _caller.put(pending)
    try:
        answered = wait(pending.done, patience)
    except BaseException:  # Ctrl-C
        pending.give_up()
        raise
    if not answered and pending.give_up():
        raise MicrophoneOpenError(f"PortAudio did not answer within {patience:g} s: the audio server hangs")
    try:
        return pending.result()
    except Exception as error:
        if isinstance(error, getattr(sys.modules.get("sounddevice"), "PortAudioError", ())):
            raise MicrophoneOpenError(f"PortAudio: {error}") from error
        raise


def load() -> Any:
    """The module `sounddevice`; for PortAudio's thread.

    Raises:
        MissingPackageError: it, or PortAudio itself, is not installed.
        MicrophoneOpenError: PortAudio does not start.
    """
    known = "sounddevice" in sys.modules
    try:
        import sounddevice
    except ImportError as error:
        raise MissingPackageError("sounddevice is not installed: pip install 'edgevoice[mic]'") from error
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


def restart() -> Any:
    """Let PortAudio look for devices again, which it does at its start alone; return `sounddevice`.

    Ends all of PortAudio's streams in this process: only for a process that cannot have any, because PortAudio has
    found no device at all.
    """
    module = load()
    module._terminate()  # noqa: SLF001 - sounddevice has no public way
    module._initialize()  # noqa: SLF001
    return module


def _leave() -> None:
    """End PortAudio as sounddevice would at exit, but give up on an audio server that hangs."""
    leave = getattr(sys.modules.get("sounddevice"), "_exit_handler", None)
    if leave is not None:
        atexit.unregister(leave)
        # After the calls that are under way: PortAudio crashes when the process ends in the middle of one.
        with contextlib.suppress(Exception, KeyboardInterrupt):
            call(leave, patience=1.0)
