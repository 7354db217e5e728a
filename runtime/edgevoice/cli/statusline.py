"""A status line for a microphone on a terminal."""

from __future__ import annotations

import math
import shutil
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from edgevoice.microphone.liveframe import LiveFrame
from edgevoice.microphone.microphone import Microphone

_METER = 20
_QUIETEST = -60.0


class StatusLine:
    """Shows level, frames, latency, load and gaps on standard error, if that is a terminal. A context manager."""

    def __init__(self, microphone: Microphone) -> None:
        self._microphone = microphone
        self._visible = sys.stderr is not None and sys.stderr.isatty()
        self._latency: float | None = None
        self._shown = 0  # length of the present line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._write("")

    def show(self, frame: LiveFrame | None) -> None:
        """Update the line; `frame` is the latest frame, None when there is no new one."""
        if not self._visible:
            return
        if frame is not None:
            self._latency = frame.latency
        width = shutil.get_terminal_size().columns - 1
        self._write(self._text()[:width])

    def _write(self, text: str) -> None:
        if self._visible:
            with suppress(OSError):  # the terminal is closed; SIGHUP ends the command
                # Blanks replace a longer line: not all consoles of Windows know the escape sequence for that.
                sys.stderr.write(f"\r{text.ljust(self._shown)}\r{text}")
                sys.stderr.flush()
                self._shown = len(text)

    def _text(self) -> str:
        microphone = self._microphone
        if microphone.away is not None:
            return f"{microphone.device.name}: {microphone.away}; waiting for it"
        summary = microphone.summary()
        latency = "-" if self._latency is None else f"{1e3 * self._latency:.1f} ms"
        gaps = f"{summary.lost:.1f} s lost" if summary.lost else "no gaps"
        return (
            f"{meter(microphone.peak)}  {summary.seconds:.1f} s  {summary.frames} frames  latency {latency}  "
            f"load {100 * summary.load:.1f} %  {gaps}"
        )


def meter(peak: float) -> str:
    """A bar for a peak of 0..1, from -60 dB up, with its value in dB of full scale."""
    decibels = max(_QUIETEST, 20 * math.log10(peak)) if peak else _QUIETEST
    length = round(_METER * (1 - decibels / _QUIETEST))
    return f"[{'#' * length}{'-' * (_METER - length)}] {decibels:4.0f} dB"
