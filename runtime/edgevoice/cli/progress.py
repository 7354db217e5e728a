"""A progress bar, where there is a terminal to draw it on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_SECONDS = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"


class Progress:
    """Counts files, or the seconds of a single file, on stderr; silent unless that is a terminal.

    Args:
        files: what will be read.
        shown: False keeps it silent in any case.
    """

    def __init__(self, files: Sequence[Path], shown: bool = True) -> None:
        self._single = len(files) == 1
        self._bar: Any = None
        if shown and files and sys.stderr is not None and sys.stderr.isatty():
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
        if self._bar is not None and self._single:
            self._bar.update(count)

    def file(self) -> None:
        """One file more is done."""
        if self._bar is not None and not self._single:
            self._bar.update()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
