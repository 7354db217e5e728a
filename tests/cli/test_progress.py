"""How far a command has come."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from types import SimpleNamespace

import pytest

from edgevoice.cli.console import Progress
from edgevoice.corpus.index import Row


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_file_moves_by_seconds() -> None:
    with redirect_stderr(Terminal()) as terminal, Progress(["x/speech.wav"]) as progress:
        progress.begin(2.0)
        progress.seconds(0.5)
        progress.seconds(1.5)
        progress.row(Row("x/speech.wav", ""), 5, failed=False)
    assert terminal.getvalue().rstrip().rpartition("\r")[2].startswith("speech.wav: 100%|")
    assert " 2/2 s " in terminal.getvalue()


def test_several_files_move_by_files() -> None:
    with redirect_stderr(Terminal()) as terminal, Progress(["a", "b", "c", "d"]) as progress:
        for name in "abcd":
            progress.seconds(2.0)
            progress.row(Row(name, ""), 5, failed=False)
        progress.close()
    assert " 4/4 " in terminal.getvalue()
    assert terminal.getvalue().endswith("edgevoice: 4 files, 20 frames, 8.0 s of audio, 0 failures\n")


def test_without_a_terminal_it_says_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("edgevoice.cli.console.time", clock)
    with redirect_stderr(io.StringIO()) as stderr, Progress(["a", "a", "b"], shown=False) as progress:
        for second in range(25):
            clock.now = 100.0 + second
            progress.seconds(2.0)
        progress.row(Row("a", ""), 3, failed=False)
        progress.row(Row("a", ""), 1, failed=False)
        progress.row(Row("b", ""), 0, failed=True)
        clock.now = 130.0
        progress.row(Row("b", ""), 0, failed=True)
        progress.close(failed=1, note="; so")
    assert stderr.getvalue().splitlines() == [
        "edgevoice: 0 of 3 done, 22 s of audio, 0 failures",
        "edgevoice: 0 of 3 done, 42 s of audio, 0 failures",
        "edgevoice: 4 of 3 done, 50 s of audio, 2 failures",
        "edgevoice: 1 file, 4 frames, 50.0 s of audio, 3 failures; so",
    ]
