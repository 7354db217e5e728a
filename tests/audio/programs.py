"""FFmpeg and SoX, which write and read what the tests compare with."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevoice.audio.files import open_source
from edgevoice.errors import EdgeVoiceWarning


def write(kind: str, path: Path, *command: object, pipe: bool = False) -> Path:
    """What FFmpeg or SoX (`kind`) writes to a file, or through a pipe, so that it cannot go back to its header."""
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} is not installed")
    start = ["ffmpeg", "-v", "error", "-y"] if kind == "ffmpeg" else ["sox"]
    arguments = [*start, *map(str, command), "-" if pipe else str(path)]
    result = subprocess.run(arguments, capture_output=True, check=False)
    if result.returncode:
        pytest.skip(f"this {kind} cannot write it: {result.stderr.decode(errors='replace').strip()[-200:]}")
    if pipe:
        path.write_bytes(result.stdout)
    return path


def decoded(path: Path, channels: int = 1) -> np.ndarray:
    """What FFmpeg makes of a file, float32 (samples, channels)."""
    result = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "f32le", "-"], capture_output=True, check=False)
    return np.frombuffer(result.stdout, np.float32).reshape(-1, channels)


def read(audio: Any, start: float | None = None, end: float | None = None) -> np.ndarray:
    """All samples, float32 (samples, channels)."""
    given = io.BytesIO(audio) if isinstance(audio, bytes) else audio
    with warnings.catch_warnings(action="ignore", category=EdgeVoiceWarning), open_source(given, start, end) as source:
        blocks = [np.empty((0, source.channels), np.float32), *source.blocks()]
        samples = np.concatenate(blocks)
        if source.seconds is not None:
            assert len(samples) / source.rate == pytest.approx(source.seconds, abs=0.2)  # media state it in other units
        return samples
