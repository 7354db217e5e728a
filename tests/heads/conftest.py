"""A small corpus of artificial voices, and a head that was fitted on it."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice

# Without what fits, there is no head to test.
collect_ignore_glob = [] if all(map(find_spec, ("sklearn", "onnx", "pyarrow", "pandas"))) else ["test_*.py"]

RATE = 16000


def voice(pitch: float, seed: int, seconds: float = 5.0) -> np.ndarray:
    """A sawtooth of one pitch in noise."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * ((times * pitch) % 1 - 0.5) + 0.02 * rng.standard_normal(len(times))).astype(np.float32)


def write_corpus(folder: Path, speakers: int = 8, each: int = 2, seconds: float = 5.0) -> Path:
    """Write recordings of low and high voices in turn, and a CSV of them."""
    rows = []
    for speaker in range(speakers):
        rng = np.random.default_rng(speaker)
        high = speaker % 2
        pitch = 90 + 150 * high + rng.uniform(0, 20)
        for k in range(each):
            name = f"{speaker}_{k}.wav"
            soundfile.write(folder / name, voice(pitch, 10 * speaker + k, seconds), RATE)
            rows.append([name, f"s{speaker}", ("low", "high")[high], f"{pitch:.1f}", ("a", "b", "c")[k % 3]])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "speaker", "voice", "pitch", "take"], *rows])
    return folder / "labels.csv"


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 16 recordings of 8 speakers: columns file, speaker, voice, pitch, take."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def table_of(labels: Path) -> Any:
    """The rows of a CSV with absolute names of files, as text."""
    import pandas as pd

    table = pd.read_csv(labels, dtype=str)
    table["file"] = [str(labels.parent / name) for name in table["file"]]
    return table


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset for its frames."""
    return tmp_path_factory.mktemp("kept") / "frames.parquet"


@pytest.fixture(scope="session")
def head(labels: Path, kept: Path, tiny: edgevoice.Extractor) -> edgevoice.Head:
    """A head for low and high voices."""
    return edgevoice.fit(labels, label="voice", group="speaker", model=tiny, features=kept)
