"""The recordings that one file holds, in order."""

from __future__ import annotations

from typing import NamedTuple

from edgevoice.audio.views import View


class Part(NamedTuple):
    """One recording, as a file of its own."""

    view: View
    samples: int | None = None
    """The number of samples per channel that decoding must give, where it is known better than from libsndfile."""
    lead: int = 0
    """The number of decoded samples before the recording that do not belong to it."""
    compared: bool = False
    """Whether the length that the header states was compared with the actual size."""
