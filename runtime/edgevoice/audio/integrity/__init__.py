"""What the audio libraries do not notice about the files that they read."""

from __future__ import annotations

import warnings
from typing import NamedTuple

from edgevoice.audio.views import View
from edgevoice.errors import AudioFormatError, EdgeVoiceWarning


class Recording(NamedTuple):
    """What is to be read of a file, as a file of its own for the library that reads it."""

    view: View
    samples: int | None = None
    """The number of samples per channel that decoding must give, where it is known better than by the library."""
    lead: int = 0
    """The number of decoded samples before the recording that do not belong to it."""


class Findings:
    """Turns what is wrong with a file into an error, or, where all that is there is wanted, into one warning.

    Args:
        name: the name of the file in messages.
        keep: whether an incomplete file is read as far as it goes.
    """

    def __init__(self, name: str, keep: bool = False) -> None:
        self.name, self.keep = name, keep
        self._warned: set[str] = set()

    def damage(self, words: str, cause: Exception | None = None) -> None:
        """Raise AudioFormatError; or warn, the first time, where the rest is to be kept."""
        if not self.keep:
            raise AudioFormatError(f"{self.name}: {words}") from cause
        if not any(seen.endswith("is kept") for seen in self._warned):
            self.oddity(f"{words}; what is there is kept")

    def oddity(self, words: str) -> None:
        """Warn, once, of something that may not be as it was meant."""
        if words not in self._warned:
            self._warned.add(words)
            warnings.warn(f"{self.name}: {words}", EdgeVoiceWarning, stacklevel=2)
