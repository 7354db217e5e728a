"""`edgevoice bench`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevoice.bench.report import Report
from edgevoice.cli import main


def test_command(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, picture = tmp_path / "kept.json", tmp_path / "picture.png"
    arguments = ["bench", "--model", str(tiny_model), "--rounds", "2", "--starts", "1"]
    assert main([*arguments, "--json", str(kept), "--plot", str(picture)]) == 0
    printed, read = capsys.readouterr().out.splitlines(), Report.read(kept).table().splitlines()
    assert printed[:4] == read[:4]
    assert [line[:28] for line in printed] == [line[:28] for line in read]
    assert picture.is_file()
    assert main([*arguments, "--json", "-", "--compare", str(kept)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["model"] == "tiny 1.0.0"
    assert "ratio" in captured.err
    assert main([*arguments, "--compare", str(tmp_path / "missing.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err
