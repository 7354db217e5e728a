"""The wheel holds all that is needed, and nothing of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling is not installed")


def test_contents(wheel: Path, root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("edgevoice/py.typed", "edgevoice_export/py.typed", "edgevoice/models/cae-256/encoder.onnx"):
        assert name in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"edgevoice", "edgevoice_export"}
    for model in (root / "models").iterdir():
        packed = {name.rpartition("/")[2] for name in names if name.startswith(f"edgevoice/models/{model.name}/")}
        left_out = {file.name for file in model.iterdir()} - packed
        assert {"README.md", "model.json", "encoder.onnx", "decoder.onnx"} <= packed
        assert all(name == "network.pt" or name.endswith(".png") for name in left_out)
        assert not any(name == "network.pt" or name.endswith(".png") for name in packed)


def test_its_weight_is_that_of_the_networks(wheel: Path, root: Path) -> None:
    networks = sum(file.stat().st_size for file in (root / "models").glob("*/*.onnx"))
    assert wheel.stat().st_size < networks + 1_000_000


def test_an_editable_install_takes_the_checkout(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel:editable", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (path,) = tmp_path.glob("*.whl")
    archive = zipfile.ZipFile(path)
    assert not any("models/" in name for name in archive.namelist())
    (link,) = (name for name in archive.namelist() if name.endswith(".pth"))
    assert set(archive.read(link).decode().split()) == {str(root / "runtime"), str(root / "export")}


def test_it_runs_away_from_the_checkout(wheel: Path, speech: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import sys, edgevoice\n"
        "extractor = edgevoice.load()\n"
        "print(edgevoice.__file__, extractor.folder.path, len(extractor.extract(sys.argv[1])))\n"
    )
    # Ahead of an editable install, whose path comes after that of the environment.
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "XDG_DATA_HOME": str(tmp_path)}
    environment.pop("EDGEVOICE_MODELS", None)
    command = [sys.executable, "-c", code, str(speech)]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    module, model, frames = result.stdout.split()
    assert Path(module) == tmp_path / "site" / "edgevoice" / "__init__.py"
    assert Path(model) == tmp_path / "site" / "edgevoice" / "models" / "cae-256"
    assert frames == "31"
