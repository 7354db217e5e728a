"""Recordings that one file holds, one after the other."""

from __future__ import annotations

from typing import NamedTuple

from edgevoice.audio.views import View


class Part(NamedTuple):
    """One recording, as a file of its own."""

    view: View
    samples: int | None = None
    """Samples of each channel that must come out, where that is known better than from libsndfile."""
    lead: int = 0
    """Samples that come out before them and are none of the recording."""
    compared: bool = False
    """Whether the length that its header promises was compared with what is there."""
