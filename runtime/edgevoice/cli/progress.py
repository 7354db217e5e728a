"""A progress bar, where there is a terminal to draw it on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from edgevoice.audio.paths import is_file

_SECONDS = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"


class Progress:
    """Counts files, or the seconds of a single file, on stderr; silent unless that is a terminal.

    Args:
        files: what will be read.
        start: seconds of each file that are not read.
        end: seconds of each file at which reading stops; None reads all.
        shown: False keeps it silent in any case.
    """

    def __init__(self, files: Sequence[Path], start: float | None, end: float | None, shown: bool = True) -> None:
        self._single = len(files) == 1
        self._bar: Any = None
        if shown and files and sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            if self._single:
                self._bar = tqdm(total=_seconds(files[0], start, end) or 0, desc=files[0].name, bar_format=_SECONDS)
            else:
                self._bar = tqdm(total=len(files), unit="file")

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


def _seconds(file: Path, start: float | None, end: float | None) -> float | None:
    """Seconds that will be read; None if the file does not open, or can be opened only once, as a pipe."""
    import soundfile

    if not is_file(file):
        return None
    try:
        duration = float(soundfile.info(file).duration)
    except (soundfile.SoundFileError, OSError):
        return None
    return max(0.0, min(duration, duration if end is None else end) - (start or 0))
