"""Memory of long recordings, measured on whole processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

CODE = """
import resource, sys, edgevoice
features = edgevoice.load(sys.argv[1]).extract(sys.argv[2], level=sys.argv[3], jobs=int(sys.argv[4]) or None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(len(features), features.values.nbytes, peak)
"""


def record(path: Path, minutes: int, rate: int) -> Path:
    second = (np.random.default_rng(0).standard_normal((rate, 2)) * 3000).astype(np.int16)
    with soundfile.SoundFile(path, "w", rate, 2, "PCM_16") as file:
        for _ in range(60 * minutes):
            file.write(second)
    return path


def measure(model: Path, audio: Path, level: str, workers: int) -> tuple[int, int, int]:
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(model), str(audio), level, str(workers)], capture_output=True, text=True, check=True
    )
    frames, size, peak = map(int, result.stdout.split())
    return frames, size, peak


def compare(model: Path, folder: Path, minutes: int, rate: int, level: str, workers: int = 0) -> None:
    pytest.importorskip("resource")
    _, size, short = measure(model, record(folder / "short.wav", 1, rate), level, workers)
    frames, large, long = measure(model, record(folder / "long.wav", minutes, rate), level, workers)
    assert frames == 60 * minutes * 4 - 1
    # The frames, what says where they are, and what a process's heap may wander.
    assert long - short < 1.25 * (large - size) + 8e6


@pytest.mark.parametrize(("level", "workers"), [("running", 0), ("running", 5), ("utterance", 1)])
def test_a_long_file_needs_the_memory_of_a_short_one_and_its_frames(
    tiny_model: Path, tmp_path: Path, level: str, workers: int
) -> None:
    compare(tiny_model, tmp_path, 30, 24000, level, workers)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_hours(tiny_model: Path, tmp_path: Path) -> None:
    compare(tiny_model, tmp_path, 600, 16000, "running")
