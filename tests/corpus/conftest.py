"""Recordings that several tests read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def recordings(tmp_path: Path, noise: np.ndarray) -> Callable[[int], Path]:
    """Make a folder `corpus` with so many recordings, all different, of one to two frames and a bit."""

    def make(count: int) -> Path:
        folder = tmp_path / "corpus"
        folder.mkdir()
        for k in range(count):
            soundfile.write(folder / f"u{k:02}.wav", noise[1000 * k :][: 12_000 + 40 * k], 16_000)
        return folder

    return make
