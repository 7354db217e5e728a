"""Shows the progress of a command: a bar on a terminal, otherwise a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

from edgevoice.cli.console import tell
from edgevoice.cli.signals import raise_again

_SECONDS = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"
_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """Shows on standard error how many files are done, or how many seconds of a single file.

    Otherwise it prints a line every ten seconds. Several threads may report at once.

    Args:
        files: what will be read, by name.
        shown: False keeps it silent on a terminal.
        clock: seconds that go by.
    """

    def __init__(self, files: Sequence[str], shown: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._single = len(files), len(files) == 1
        self._clock, self._last, self._lock = clock, clock(), Lock()
        self._done, self._frames, self._seconds, self._failed = 0, 0, 0.0, 0
        self._files: set[str] = set()
        self._bar: Any = None
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shown = shown or not terminal
        self._lines = bool(files) and not terminal
        if shown and files and terminal:
            from tqdm import tqdm

            if self._single:
                self._bar = tqdm(total=0, desc=Path(files[0]).name, bar_format=_SECONDS)
            else:
                self._bar = tqdm(total=len(files), unit="file")

    def begin(self, seconds: float | None) -> None:
        """Set how many seconds of a file will be read; None if that is not known."""
        if self._bar is not None and self._single:
            self._bar.total = seconds or 0

    def seconds(self, count: float) -> None:
        """Count seconds of audio that were read. It raises the same errors as `row`."""
        raise_again()
        with self._lock:
            self._seconds += count
            if self._bar is not None and self._single:
                self._bar.update(count)
            self._line()

    def row(self, file: str, frames: int, failed: bool) -> None:
        """Count a row as done.

        Raises:
            Interrupted: a signal came, and its exception was lost in a callback.
        """
        raise_again()
        with self._lock:
            self._done += 1
            self._frames += frames
            self._failed += failed
            if not failed:
                self._files.add(file)
            if self._bar is not None and not self._single:
                self._bar.update()
            self._line()

    def close(self, failed: int = 0, note: str = "") -> None:
        """Print a summary in one line. A single input that failed has none, because its error was printed.

        Args:
            failed: number of failures that were not counted by `row`.
            note: text to add.
        """
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        failed += self._failed
        if self._shown and not (failed and self._total <= 1 and not self._files):
            counts = (_counted(len(self._files), "file"), _counted(self._frames, "frame"), f"{self._seconds:.1f} s of audio")
            tell(f"{', '.join(counts)}, {_counted(failed, 'failure')}{note}")

    def _line(self) -> None:
        now = self._clock()
        if self._lines and now - self._last >= _EVERY:
            self._last = now
            tell(f"{self._done} of {self._total} done, {self._seconds:.0f} s of audio, {_counted(self._failed, 'failure')}")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
