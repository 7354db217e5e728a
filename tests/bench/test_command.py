"""`edgevoice bench`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevoice.bench import benchmark
from edgevoice.cli import main


def test_command(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, picture = tmp_path / "kept.json", tmp_path / "picture.png"
    arguments = ["bench", "--model", str(tiny_model), "--rounds", "2"]
    assert main([*arguments, "--json", str(kept), "--plot", str(picture), "--hop", "0.1", "--level", "2"]) == 0
    assert capsys.readouterr().out.startswith("tiny 1.0.0 on cpu, 1 thread, a frame every 0.1 s\n")
    data = json.loads(kept.read_text())
    assert (data["hop_s"], data["level"], picture.is_file()) == (0.1, 2.0, True)
    assert main([*arguments, "--json", "-", "--compare", str(kept)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["model"] == "tiny 1.0.0"
    assert "ratio" in captured.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--plot", "now.docx"], 2),
        (["--plot", "there/now.png"], 1),
        (["--json", "there"], 2),
        (["--json", "now.png", "--plot", "./now.png"], 2),
        (["--json", "there", "--compare", "there", "--force"], 2),
        (["--compare", "gone.json"], 2),
        (["--level", "utterance"], 2),
        (["--hop", "0.01"], 2),
    ],
)
def test_what_cannot_be_is_said_before_measuring(
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark, "time_calls", lambda *_, **__: pytest.fail("measures"))
    Path("there").touch()
    assert main(["bench", "--model", str(tiny_model), *words]) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert list(Path().iterdir()) == [Path("there")]
