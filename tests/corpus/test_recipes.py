"""The recipes for PyTorch and Hugging Face's datasets that the documentation gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice

# A function that notes each call: what is cached is not called again.
MAPPED = """
import sys
import edgevoice
from datasets import Dataset
table, model, calls = sys.argv[1:]
extractor = edgevoice.load(model)

def features(row):
    with open(calls, "a") as file:
        file.write(".")
    return {"features": extractor.extract(row["file"], jobs=1).functionals()}

recordings = Dataset.from_csv(table).map(features).with_format("numpy")
print(recordings["features"][:].tobytes().hex()[:64], recordings["speaker"][0])
"""


@pytest.fixture
def table(tmp_path: Path, noise: np.ndarray) -> Path:
    rows = ["file,speaker"]
    for k in range(3):
        soundfile.write(tmp_path / f"{k}.wav", noise[4000 * k : 4000 * k + 20_000], 16_000)
        rows.append(f"{tmp_path / f'{k}.wav'},s{k}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "table.csv"


def test_datasets_keep_what_was_computed(table: Path, tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    calls, environment = tmp_path / "calls", {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}

    def mapped(model: str) -> tuple[str, int]:
        before = calls.stat().st_size if calls.exists() else 0
        command = [sys.executable, "-c", MAPPED, str(table), model, str(calls)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout, calls.stat().st_size - before

    first, computed = mapped(str(tiny_model))
    assert computed == 3
    assert mapped(str(tiny_model)) == (first, 0)
    expected = edgevoice.load(tiny_model).extract(tmp_path / "0.wav").functionals()
    assert first.split() == [expected.astype(np.float32).tobytes().hex()[:64], "s0"]
    assert mapped("cae-64")[1] == 3, "another model is another function"
