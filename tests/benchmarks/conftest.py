"""Recordings of speakers of three classes, and features of them that take no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16_000


def voice(seed: int, pitch: float, seconds: float = 1.2) -> np.ndarray:
    """A buzz with noise, float64 (samples,)."""
    time = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 20))
    return 0.2 * buzz * np.sin(2 * np.pi * time) ** 2 + 1e-3 * np.random.default_rng(seed).standard_normal(len(time))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speakers(tmp_path_factory.mktemp("corpus"), range(30))


@pytest.fixture(scope="module")
def unheard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speakers(tmp_path_factory.mktemp("unheard"), range(30, 42))


def speakers(folder: Path, numbers: range) -> Path:
    """Speakers of three classes, two recordings each, separated by their pitch."""
    rows = ["file,speaker,gender,age"]
    for speaker in numbers:
        pitch, gender, age = ((320, "f", 8), (110, "m", 40), (210, "f", 30))[speaker % 3]
        (folder / f"{speaker:02}").mkdir()
        for take in range(2):
            file = f"{speaker:02}/{take}.flac"
            soundfile.write(folder / file, voice(2 * speaker + take, pitch * (1 + 0.002 * speaker)), RATE)
            rows.append(f"{file},{speaker:02},{gender},{age}")
    (folder / "utterances.csv").write_text("\n".join(rows) + "\n")
    return folder


class Loudness:
    """A source of two numbers."""

    name = key = "loudness"

    def __call__(self, path: Path) -> np.ndarray:
        samples, _ = soundfile.read(path)
        return np.array([samples.std(), np.abs(samples).max()], np.float32)
