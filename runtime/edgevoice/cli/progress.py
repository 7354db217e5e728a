"""How far a command has come: a bar on a terminal, else a line now and then, and one at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from edgevoice.cli.console import tell

_SECONDS = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"
_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """Counts files, frames and seconds of audio, on stderr.

    On a terminal it is a bar: of files, or of the seconds of a single file. Elsewhere it is one line every ten seconds. A
    line at the end says what was done, where there were several files or it took longer than that.

    Args:
        files: what will be read.
        shown: False draws no bar.
    """

    def __init__(self, files: Sequence[Path], shown: bool = True) -> None:
        self._single, self._total = len(files) == 1, len(files)
        self._files = self._frames = self._failed = 0
        self._audio = 0.0
        self._begun = self._told = time.monotonic()
        self._bar: Any = None
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        if shown and files and self._terminal:
            from tqdm import tqdm

            if self._single:
                self._bar = tqdm(total=0, desc=files[0].name, bar_format=_SECONDS)
            else:
                self._bar = tqdm(total=len(files), unit="file")

    def begin(self, seconds: float | None) -> None:
        """A file is open, of which so many seconds will be read; None where that is not known."""
        if self._bar is not None and self._single:
            self._bar.total = seconds or 0

    def seconds(self, count: float) -> None:
        """So many seconds of audio more have been read."""
        self._audio += count
        if self._bar is not None and self._single:
            self._bar.update(count)
        self._tell_now_and_then()

    def file(self, frames: int | None) -> None:
        """One file more is done, with so many frames; None where it failed."""
        self._files += 1
        self._frames += frames or 0
        self._failed += frames is None
        if self._bar is not None and not self._single:
            self._bar.update()
        self._tell_now_and_then()

    def _tell_now_and_then(self) -> None:
        now = time.monotonic()
        if not self._terminal and now - self._told >= _EVERY:
            self._told = now
            tell(f"{self._files} of {self._total} files, {self._counts()}")

    def _counts(self) -> str:
        return f"{self._frames} frames, {self._audio:.1f} s of audio, {self._failed} failed"

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
        if kind is None and (self._total > 1 or time.monotonic() - self._begun >= _EVERY):
            tell(f"done: {self._files} files, {self._counts()}")
