"""Files and folders named on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevoice.cli.inputs import Inputs


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("x/a.wav", "x/b.WAV", "x/deep/er/c.ogg", "y/a.wav", "y/a.flac", "y/notes.txt", "z/none.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "files", "places"),
    [
        (["x/a.wav"], ["x/a.wav"], ["a"]),
        (["x"], ["x/a.wav", "x/b.WAV", "x/deep/er/c.ogg"], ["a", "b", "deep/er/c"]),
        (["x/b.WAV", "y/a.wav"], ["x/b.WAV", "y/a.wav"], ["b", "a"]),
        # The same name in two folders: each below the folder that holds both.
        (["y/a.wav", "x/a.wav"], ["y/a.wav", "x/a.wav"], ["y/a", "x/a"]),
        (["x/deep", "x/a.wav", "y/a.wav"], ["x/deep/er/c.ogg", "x/a.wav", "y/a.wav"], ["x/deep/er/c", "x/a", "y/a"]),
        # The same name but for the suffix.
        (["y"], ["y/a.flac", "y/a.wav"], ["a.flac", "a.wav"]),
        # Named twice, in two ways.
        (["x/a.wav", "./x/../x/a.wav", "x"], ["x/a.wav", "x/b.WAV", "x/deep/er/c.ogg"], ["a", "b", "deep/er/c"]),
        # What is not there is told when it is opened.
        (["gone.wav", "x/a.wav"], ["gone.wav", "x/a.wav"], ["gone", "a"]),
    ],
)
def test_files_and_where_their_tables_go(place: Path, names: list[str], files: list[str], places: list[str]) -> None:
    inputs = Inputs.find(names)
    assert [file.as_posix() for file in inputs.files] == files
    assert [path.as_posix() for path in inputs.places] == places
    assert inputs.errors == []


def test_a_folder_without_audio_is_an_error_and_the_others_are_found(place: Path) -> None:
    inputs = Inputs.find(["z", "x/a.wav"])
    assert [str(error) for error in inputs.errors] == ["z: no audio file in this folder or below it"]
    assert inputs.files == [Path("x/a.wav")]
    assert Inputs.find(["z"]).places == []
