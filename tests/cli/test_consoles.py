"""Consoles that lack letters: ASCII alone, the code pages of Windows."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgevoice.cli import COMMANDS, main
from edgevoice.cli.console import aligned, status_line

NAME = os.fsdecode("größe_日本.wav".encode()) if os.name != "nt" else "größe_日本.wav"
FOLDER = os.fsdecode("日本".encode()) if os.name != "nt" else "日本"
"""As the system's encoding of names has them, which is ASCII where this runs with LC_ALL=C."""


def run(folder: Path, *words: str, encoding: str | None = None) -> subprocess.CompletedProcess[bytes]:
    """The command in a console without UTF-8: that of LC_ALL=C, or one with this encoding."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment.pop("PYTHONIOENCODING", None)
    if encoding:
        environment |= {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "edgevoice.cli", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_plain(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main([*name.split(), "--help"])
    assert capsys.readouterr().out.isascii()


@pytest.mark.skipif(os.name == "nt", reason="names are not bytes there")
def test_any_name_can_be_read_and_is_written_as_it_is(tmp_path: Path, tiny_model: Path, speech: Path) -> None:
    shutil.copy(speech, tmp_path / NAME)
    options = ("--model", str(tiny_model), "--static")
    assert os.fsencode(NAME) in run(tmp_path, "extract", ".", *options).stdout
    assert run(tmp_path, "extract", ".", *options, "-o", "out.csv").returncode == 0
    assert os.fsencode(NAME) in (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize("encoding", [None, "cp1252", "cp437"])
def test_what_a_console_lacks_is_escaped(
    tmp_path: Path, tiny_model: Path, encoding: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(tmp_path, "extract", NAME, "--model", str(tiny_model), encoding=encoding)
    assert result.returncode == 1
    assert result.stderr.count(b"\n") == 1
    assert b"Traceback" not in result.stderr
    shutil.copytree(tiny_model, tmp_path / "models" / FOLDER)
    monkeypatch.setenv("EDGEVOICE_MODELS", str(tmp_path / "models"))
    listed = run(tmp_path, "models", encoding=encoding)
    assert listed.returncode == 0, listed.stderr
    assert ("日本".encode() if encoding is None else rb"\u65e5\u672c") in listed.stdout


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
@pytest.mark.usefixtures("any_name")
def test_names_cannot_steer_a_terminal(tmp_path: Path, tiny_model: Path) -> None:
    """Those of files, and what a model says of itself."""
    result = run(tmp_path, "extract", "\x1b]0;x\x07\u202e.wav", "--model", str(tiny_model), encoding="utf-8")
    assert result.stderr == b"edgevoice: \\x1b]0;x\\x07\\u202e.wav: no such file\n"
    result = run(tmp_path, "extract", "--\x1b[2J", encoding="utf-8")
    assert (result.returncode, b"\x1b" in result.stderr) == (2, False)
    assert aligned([["a\x9b\n", "b"], ["c", "d"]]) == "a\\x9b\\n  b\nc        d"


def test_the_line_of_status_leaves_nothing_of_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := io.StringIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    microphone = SimpleNamespace(away="a long reason", device=SimpleNamespace(name="m"))
    with status_line(microphone) as show:  # type: ignore[arg-type]
        show(None, "")
        microphone.away = "lost"
        show(None, "")
        text = terminal.getvalue()
    shown = [" "] * 40
    column = 0
    for letter in text:
        column = 0 if letter == "\r" else column + 1
        if letter != "\r":
            shown[column - 1] = letter
    assert "".join(shown).rstrip() == "m: lost; waiting for it"
    assert "\x1b" not in terminal.getvalue()
