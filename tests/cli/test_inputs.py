"""Files and folders named on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgevoice
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
    ("names", "root", "files", "called"),
    [
        (["x/a.wav"], None, ["x/a.wav"], ["x/a.wav"]),
        (["x"], None, ["x/a.wav", "x/b.WAV", "x/deep/er/c.ogg"], ["a.wav", "b.WAV", "deep/er/c.ogg"]),
        (["x"], ".", ["x/a.wav", "x/b.WAV", "x/deep/er/c.ogg"], ["x/a.wav", "x/b.WAV", "x/deep/er/c.ogg"]),
        # What others are called has no effect.
        (["y/a.wav", "x/a.wav"], None, ["y/a.wav", "x/a.wav"], ["y/a.wav", "x/a.wav"]),
        (["x/deep", "x/a.wav"], None, ["x/deep/er/c.ogg", "x/a.wav"], ["er/c.ogg", "x/a.wav"]),
        (["x/deep", "x/a.wav"], "x", ["x/deep/er/c.ogg", "x/a.wav"], ["deep/er/c.ogg", "a.wav"]),
        # Named twice, in two ways.
        (["x/a.wav", "./x/../x/a.wav"], None, ["x/a.wav"], ["x/a.wav"]),
        # What is not there is told when it is opened.
        (["gone.wav", "x/a.wav"], None, ["gone.wav", "x/a.wav"], ["gone.wav", "x/a.wav"]),
        # What is not below the root keeps its name.
        (["y/a.wav"], "x", ["y/a.wav"], ["y/a.wav"]),
    ],
)
@pytest.mark.usefixtures("place")
def test_files_and_what_they_are_called(names: list[str], root: str | None, files: list[str], called: list[str]) -> None:
    inputs = Inputs.find(names, root)
    assert [file.as_posix() for file in inputs.files] == files
    assert inputs.names == called
    assert inputs.errors == []


@pytest.mark.usefixtures("place")
def test_what_is_no_audio_is_counted() -> None:
    assert Inputs.find(["y"]).others == 1
    assert Inputs.find(["x", "x/a.wav"]).others == 0


def test_absolute_names_below_the_root_are_relative_to_it(place: Path) -> None:
    assert Inputs.find([str(place / "x" / "a.wav")]).names == ["x/a.wav"]
    assert Inputs.find([str(place / "x" / "a.wav")], str(place / "x")).names == ["a.wav"]
    assert Inputs.find([str(place / "x" / "a.wav")], "y").names == [str(place / "x" / "a.wav")]


@pytest.mark.usefixtures("place")
def test_a_root_that_is_no_folder_is_refused() -> None:
    with pytest.raises(edgevoice.ArgumentError, match="--root gone: is no folder"):
        Inputs.find(["x"], "gone")


def test_each_input_has_a_table_of_its_own(place: Path) -> None:
    assert Inputs.find(["x", "y/a.wav"]).tables() == {
        "a.wav": Path("a"), "b.WAV": Path("b"), "deep/er/c.ogg": Path("deep/er/c"), "y/a.wav": Path("y/a")
    }  # fmt: skip
    for names, root, message in (
        (["y"], None, r"a\.flac and a\.wav would have the same table"),
        (["y/a.wav"], "x", r"\(--root DIR\)"),
        ([str(place / ".." / "else.wav")], None, r"\(--root DIR\)"),
        (["../else.wav"], None, r"\(--root DIR\)"),
    ):
        with pytest.raises(edgevoice.ArgumentError, match=message):
            Inputs.find(names, root).tables()


@pytest.mark.usefixtures("place")
def test_a_folder_without_audio_is_an_error_and_the_others_are_found() -> None:
    inputs = Inputs.find(["z", "x/a.wav"])
    assert [str(error) for error in inputs.errors] == ["z: no audio file in this folder or below it"]
    assert inputs.files == [Path("x/a.wav")]
    assert Inputs.find(["z"]).names == []
