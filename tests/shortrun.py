"""A training run of a few steps."""

from __future__ import annotations

from edgevoice_export.training.loop import Progress
from edgevoice_export.training.settings import Settings

SETTINGS = Settings("cae", 64, epochs=2, epoch_windows=12, batch=4, validation=0.34, validation_windows=6)


class Stop:
    """Stops a run after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        return self.left <= 0

    def report(self, _: Progress) -> None:
        self.left -= 1
