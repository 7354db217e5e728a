"""`edgevoice models`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_other_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("edgevoice.modelfolder.user_models", lambda: tmp_path / "none")
    monkeypatch.setattr("edgevoice.modelfolder.shipped_models", lambda: tmp_path / "none")


def test_a_table(run: Callable) -> None:
    head, row = run("models").out.splitlines()
    assert head.split() == ["MODEL", "VERSION", "SIZE", "NUMBERS", "PATH", "SUMMARY"]
    assert row.startswith("cae-256  1.0.0    0.0 MB  8 + 128  /")
    assert row.endswith("  Random weights, for tests")
    assert head.index("PATH") == row.index("/")
    assert head.index("SUMMARY") == row.index("Random")


def test_json(run: Callable, tiny_model: Path) -> None:
    (model,) = json.loads(run("models", "--json").out)
    assert model["name"] == "cae-256"
    assert (model["bottleneck"], model["error"], model["rate"]) == (8, 128, 16000)
    names = ("model.json", "encoder.onnx", "decoder.onnx")
    assert model["bytes"] == sum((tiny_model / name).stat().st_size for name in names)
    assert Path(model["path"]).is_dir()


def test_no_models(run: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEVOICE_MODELS", str(tmp_path))
    outcome = run("models")
    assert outcome.out.startswith(f"No models. Searched: {tmp_path}, ")
    assert json.loads(run("models", "--json").out) == []
