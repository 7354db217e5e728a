"""The command `edgevoice`, in this process and in one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edgevoice.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process; the model `cae-256` is a small one."""
    monkeypatch.setenv("EDGEVOICE_MODELS", str(_named(tiny_model)))

    def run(*arguments: Any) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as error:
            code = int(error.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def start(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a command in a process of its own, with pipes; the model `cae-256` is a small one."""
    monkeypatch.setenv("EDGEVOICE_MODELS", str(_named(tiny_model)))
    processes = []

    def start(*arguments: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "edgevoice.cli", *map(str, arguments)]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        with process:  # closes the pipes
            pass


def _named(model: Path) -> Path:
    """A folder in which the model has the name of the default one."""
    folder = model.parent / "named"
    folder.mkdir(exist_ok=True)
    link = folder / "cae-256"
    if not link.exists():
        link.symlink_to(model, target_is_directory=True)
    return folder
