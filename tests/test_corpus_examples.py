"""The examples about corpora, and the notebooks, run and give what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import edgevoice
from pages import furnish

NOTEBOOK = """
import sys, warnings
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], 4)
client = nbclient.NotebookClient(notebook, timeout=200, resources={"metadata": {"path": sys.argv[2]}}, record_timing=False)
client.execute()
nbformat.write(notebook, sys.argv[3])
"""


@pytest.fixture
def place(tmp_path: Path, speech: Path) -> Path:
    furnish(tmp_path, speech)
    return tmp_path


def run(root: Path, folder: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "examples" / name), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=250)


@pytest.mark.parametrize("name", ["corpus_to_parquet.py", "corpus_on_a_cluster.py"])
def test_a_table_of_a_corpus(root: Path, place: Path, name: str) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pytest.importorskip("dask.distributed" if "cluster" in name else "pyarrow", reason="dask is not installed")
    (place / "recordings" / "ben" / "broken.wav").write_bytes(b"RIFF")
    result = run(root, place, name, "recordings", "table.parquet")
    assert result.returncode == 1, result.stderr
    assert "broken.wav" in result.stderr
    assert "3 recordings" in result.stdout
    table = pandas.read_parquet(place / "table.parquet").reset_index().set_index("file")
    assert list(table.index) == ["anna/one.flac", "ben/one.flac", "carla/one.flac"]
    expected = edgevoice.load("cae-256").extract(place / "recordings" / "ben" / "one.flac")
    row = table.loc["ben/one.flac", expected.functional_names]
    assert row.to_numpy(dtype="float32").tobytes() == expected.functionals().tobytes()


def test_a_model_is_adapted(root: Path, place: Path) -> None:
    pytest.importorskip("torch", reason="the export extra is not installed")
    result = run(
        root, place, "adapt_a_model.py", "recordings", "mine", "--epochs", "1", "--epoch-windows", "320", "--rate", "1e-5"
    )
    assert result.returncode == 0, result.stderr
    assert "on speakers held out: one speaker allows no conclusion about others: error" in result.stdout
    assert edgevoice.find_model(place / "mine").config.name == "mine"


def outputs(notebook: Path) -> list[str]:
    """What its cells print; pictures and tables by their kind; not the progress on standard error."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    shown = [output for cell in cells for output in cell.get("outputs", []) if output.get("name") != "stderr"]
    return ["".join(output["text"]) if "text" in output else ", ".join(sorted(output["data"])) for output in shown]


@pytest.mark.parametrize(("name", "count"), [("corpus", 7), ("decisions", 4)])
def test_the_notebooks_run_and_show_what_they_show(name: str, count: int, root: Path, tmp_path: Path) -> None:
    for package in ("nbclient", "ipykernel", "sklearn", "matplotlib", "pandas", "pyarrow", "onnx"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    notebook = root / "examples" / f"{name}.ipynb"
    command = [sys.executable, "-c", NOTEBOOK, str(notebook), str(root / "examples"), str(tmp_path / "now.ipynb")]
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline", "IPYTHONDIR": str(tmp_path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=250)
    assert result.returncode == 0, result.stderr[-3000:]
    assert len(outputs(notebook)) == count
    assert outputs(tmp_path / "now.ipynb") == outputs(notebook)
