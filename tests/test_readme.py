"""The README is true: its commands and snippets run, and print what it says."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from edgevoice.modelfolder import list_models


class Snippet(NamedTuple):
    language: str
    code: str


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def snippets(readme: str) -> list[Snippet]:
    return [Snippet(*match) for match in re.findall(r"^```(\w+)\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)]


@pytest.fixture
def place(tmp_path: Path, speech: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the README takes for granted, and a user of its own."""
    shutil.copy(speech, tmp_path / "speech.wav")
    samples, rate = soundfile.read(speech, dtype="int16")
    for speaker in ("anna", "ben", "carla"):
        (tmp_path / "recordings" / speaker).mkdir(parents=True)
        soundfile.write(tmp_path / "recordings" / speaker / "one.flac", samples[: 3 * rate], rate)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def is_installation(command: str) -> bool:
    return command.startswith("python3 -m venv")


def run(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)


def test_the_two_commands_are_those_that_the_checks_run(root: Path, snippets: list[Snippet]) -> None:
    commands = [line for snippet in snippets for line in snippet.code.splitlines() if is_installation(line)]
    assert len(commands) == 2
    assert "edgevoice extract tests/data/speech.wav" in commands[0]
    assert commands[1].endswith("pytest")
    assert "grep '^python3 -m venv' README.md" in (root / ".ci" / "run").read_text()


def test_python(snippets: list[Snippet], place: Path, disvoice_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEVOICE_MODELS", str(disvoice_models))
    rng = np.random.default_rng(0)
    names = {"chunks": [rng.uniform(-0.1, 0.1, (480, 2)).astype(np.float32) for _ in range(100)]}
    for k, snippet in enumerate(snippets):
        if snippet.language == "python" and "Microphone" not in snippet.code:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(snippet.code, "README.md", "exec"), names)
            if k + 1 < len(snippets) and snippets[k + 1].language == "text":
                assert printed.getvalue() == snippets[k + 1].code


def test_shell(snippets: list[Snippet], place: Path, disvoice_wheel: Path) -> None:
    shutil.copy(disvoice_wheel, place)
    for snippet in snippets:
        if snippet.language != "sh":
            continue
        for command in snippet.code.splitlines():
            if is_installation(command) or not command or "--mic" in command or command == "edgevoice devices":
                continue
            if command.startswith("ffmpeg") and not shutil.which("ffmpeg"):
                continue
            result = run(command)
            assert result.returncode == 0, f"{command}\n{result.stderr}"
    assert (place / "static.csv").read_text().count("\n") == 2
    assert len(list((place / "features").rglob("*.npy"))) == 3
    assert (place / "speech.png").stat().st_size > 10_000
    assert (place / "data" / "edgevoice" / "models" / "disvoice-rae-256").is_dir()


def test_pictures_and_links_are_there(root: Path, readme: str) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", readme)
    assert any(target.endswith(".png") for target in targets)
    for target in targets:
        if not target.startswith(("https://", "#")):
            assert (root / target).exists(), target


def test_every_shipped_model_is_named(root: Path, readme: str) -> None:
    names = {folder.path.name for folder in list_models() if folder.path.parent == root / "models"}
    assert "cae-256" in names
    for name in names:
        assert f"`{name}`" in readme
