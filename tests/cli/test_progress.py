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
        progress.file(3)
    assert terminal.getvalue().rstrip().rpartition("\r")[2].startswith("speech.wav: 100%|")
    assert " 2/2 s " in terminal.getvalue()


def test_several_files_move_by_files(speech: Path) -> None:
    with redirect_stderr(Terminal()) as terminal, Progress([speech] * 4) as progress:
        for _ in range(4):
            progress.seconds(2.0)
            progress.file(3)
    assert " 4/4 " in terminal.getvalue()


def test_a_file_that_does_not_open_is_no_trouble_here(tmp_path: Path) -> None:
    with redirect_stderr(Terminal()), Progress([tmp_path / "gone.wav"]) as progress:
        progress.file(3)


@pytest.mark.parametrize("case", ["not a terminal", "not asked for", "nothing to do"])
def test_a_single_short_file_is_silent_otherwise(speech: Path, case: str) -> None:
    files = [] if case == "nothing to do" else [speech]
    stderr = io.StringIO() if case == "not a terminal" else Terminal()
    with redirect_stderr(stderr), Progress(files, shown=case != "not asked for") as progress:
        progress.seconds(1.0)
        progress.file(3)
    assert stderr.getvalue() == ""


def test_without_a_terminal_there_is_a_line_now_and_then_and_one_at_the_end(
    speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 4.0, 9.0, 11.0, 12.0, 22.0, 23.0])
    monkeypatch.setattr("edgevoice.cli.progress.time.monotonic", lambda: next(clock))
    with redirect_stderr(io.StringIO()) as stderr, Progress([speech] * 3) as progress:
        for frames in (7, None, 8):
            progress.seconds(2.0)
            progress.file(frames)
    assert stderr.getvalue().splitlines() == [
        "edgevoice: 1 of 3 files, 7 frames, 4.0 s of audio, 0 failed",
        "edgevoice: 2 of 3 files, 7 frames, 6.0 s of audio, 1 failed",
        "edgevoice: done: 3 files, 15 frames, 6.0 s of audio, 1 failed",
    ]


def test_a_run_that_failed_does_not_say_that_it_is_done(speech: Path) -> None:
    stderr = io.StringIO()
    with pytest.raises(OSError), redirect_stderr(stderr), Progress([speech] * 3):  # noqa: PT011 - raised here
        raise OSError
    assert stderr.getvalue() == ""
