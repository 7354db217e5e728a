"""The progress bar."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from edgevoice.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_file_moves_by_seconds(speech: Path) -> None:
    with redirect_stderr(Terminal()) as terminal, Progress([speech]) as progress:
        progress.begin(2.0)
        progress.seconds(0.5)
        progress.seconds(1.5)
        progress.file()
    assert terminal.getvalue().rstrip().rpartition("\r")[2].startswith("speech.wav: 100%|")
    assert " 2/2 s " in terminal.getvalue()


def test_several_files_move_by_files(speech: Path) -> None:
    with redirect_stderr(Terminal()) as terminal, Progress([speech] * 4) as progress:
        for _ in range(4):
            progress.seconds(2.0)
            progress.file()
    assert " 4/4 " in terminal.getvalue()


def test_a_file_that_does_not_open_is_no_trouble_here(tmp_path: Path) -> None:
    with redirect_stderr(Terminal()), Progress([tmp_path / "gone.wav"]) as progress:
        progress.file()


@pytest.mark.parametrize("case", ["not a terminal", "not asked for", "nothing to do"])
def test_otherwise_it_is_silent(speech: Path, case: str) -> None:
    files = [] if case == "nothing to do" else [speech]
    stderr = io.StringIO() if case == "not a terminal" else Terminal()
    with redirect_stderr(stderr), Progress(files, shown=case != "not asked for") as progress:
        progress.seconds(1.0)
        progress.file()
    assert stderr.getvalue() == ""
