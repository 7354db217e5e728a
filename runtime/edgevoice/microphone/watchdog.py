"""Notices that a device has stopped delivering, and opens it again if that is requested."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from edgevoice.errors import EdgeVoiceError
from edgevoice.microphone import portaudio
from edgevoice.microphone.capture import BlockQueue, Capture, Lost
from edgevoice.microphone.portaudio import TICK, wait

STALL = 1.5
"""Seconds of running time without a block after which a device counts as lost, so that it is noticed within 2 s."""
_RETRY = 0.5
_CLOSING = 1.0


class Watchdog:
    """A thread that watches a capture from its first block to its end, and closes it.

    A device that is unplugged, or whose audio server is killed, ends at once; one whose server hangs, or that is
    suspended, just stops delivering. Either puts `Lost` into the queue. Time is counted in ticks of this thread, so
    that a process that was stopped does not take its own absence for the device's. The capture is the watchdog's from here
    on; `reopen` opens the device once more, given how often it has been opened, None where a lost device stays lost.
    """

    def __init__(self, capture: Capture, blocks: BlockQueue, reopen: Callable[[int], Capture] | None) -> None:
        self._blocks, self._reopen = blocks, reopen
        self._openings = 1
        self._closing, self._wake, self._let_go = threading.Event(), threading.Event(), threading.Event()
        threading.Thread(target=self._run, args=(capture,), name="microphone watchdog", daemon=True).start()

    def close(self) -> None:
        """Close the device and wait for that, unless it hangs."""
        self.release()
        wait(self._let_go, 2 * _CLOSING)

    def release(self) -> None:
        """Close the device without waiting for it."""
        self._closing.set()
        self._wake.set()

    def _run(self, capture: Capture | None) -> None:
        while capture is not None:
            self._let_go.clear()  # set once it is closed, or lost so that closing it may never end
            reason = self._watch(capture)
            if reason is not None:
                self._let_go.set()
                self._blocks.put(Lost(reason, awaited=self._reopen is not None))
            # If the server hangs, the call waits until the server continues.
            with contextlib.suppress(Exception):
                portaudio.call(capture.close, patience=_CLOSING)
            capture = None if reason is None or self._reopen is None else self._open_again(self._reopen)
        self._let_go.set()

    def _watch(self, capture: Capture) -> str | None:
        """Wait until the device is lost, and return the reason; None when it is to be closed."""
        capture.ended = self._wake.set
        ticks, seen = 0, -1
        while ticks * TICK < STALL:
            self._wake.wait(TICK)
            self._wake.clear()
            if self._closing.is_set():
                return None
            if capture.has_ended:
                return "it was unplugged, or its audio server ended"
            ticks = ticks + 1 if capture.delivered == seen else 0
            seen = capture.delivered
        return f"it has delivered nothing for {STALL:g} s"

    def _open_again(self, reopen: Callable[[int], Capture]) -> Capture | None:
        while not wait(self._closing, _RETRY):
            try:
                capture = reopen(self._openings)
            except EdgeVoiceError:
                continue
            self._openings += 1
            return capture
        return None
