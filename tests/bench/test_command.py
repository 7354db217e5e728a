"""`edgevoice bench`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevoice import MissingPackageError
from edgevoice.bench import benchmark
from edgevoice.bench.report import Report
from edgevoice.cli import main
from edgevoice.plotting.figurefile import figure_format


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


@pytest.mark.parametrize(
    ("place", "words", "code"),
    [("now.docx", "expected a name that ends in .png", 2), ("kept/now.png", "cannot be written (Not a directory)", 1)],
)
def test_a_picture_that_cannot_be_written_is_told_before_measuring(
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    words: str,
    code: int,
) -> None:
    monkeypatch.setattr(benchmark, "run_benchmark", lambda *_, **__: pytest.fail("measures"))
    (tmp_path / "kept").touch()
    arguments = ["bench", "--model", str(tiny_model), "--json", str(tmp_path / "new" / "now.json")]
    assert main([*arguments, "--plot", str(tmp_path / place)]) == code
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


def test_a_figure_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.plotting.figurefile.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match="matplotlib"):
        figure_format("out.png")
