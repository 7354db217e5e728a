"""Audio files below a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgevoice.audio.files import open_source
from edgevoice.audio.folders import absolute, find_audio
from edgevoice.errors import AudioFileNotFoundError, AudioFormatError


def test_files_are_known_by_their_suffix_and_sorted_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    names = ["b.wav", "a.FLAC", "deep/er/c.mp3", "deep/d.ogg", "a.sph", "b.m4a", "c.webm", "d.WMA", "f.mka", "h.opus"]
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AudioFileNotFoundError, match="no audio file in this folder or below it"):
        find_audio(tmp_path)
    for name in [*names, "x.raw", "wav", "._a.wav", ".b.wav", ".trash/c.wav"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_audio(tmp_path) == (sorted(tmp_path / name for name in names), 3, ())


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_to_nothing_is_found_and_a_pipe_is_not(tmp_path: Path) -> None:
    (tmp_path / "gone.wav").symlink_to("nowhere.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert find_audio(tmp_path) == ([tmp_path / "gone.wav"], 1, ())


@pytest.mark.skipif(os.name == "nt", reason="a current folder cannot be deleted there")
def test_a_current_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(AudioFileNotFoundError, match="current folder was deleted"):
        absolute(Path("a.wav"))
    with pytest.raises(AudioFileNotFoundError, match="no such file"):
        open_source("a.wav")
    assert absolute(Path("/a/../b.wav")) == "/b.wav"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_linked_folders_are_searched_once(tmp_path: Path) -> None:
    (tmp_path / "corpus/speaker").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for name in ("corpus/speaker/a.wav", "elsewhere/b.wav"):
        (tmp_path / name).touch()
    for link, place in (("corpus/loop", "corpus"), ("corpus/again", "corpus/speaker"), ("corpus/other", "elsewhere")):
        (tmp_path / link).symlink_to(tmp_path / place)
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "corpus")
    found = find_audio(tmp_path / "corpus")
    assert found.files == [tmp_path / "corpus/other/b.wav", tmp_path / "corpus/speaker/a.wav"]


def test_a_folder_that_cannot_be_listed_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.wav").touch()
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find_audio(tmp_path)
    assert [path.name for path in found.files] == ["a.wav"]
    assert [name for name, _ in found.errors] == [str(tmp_path / "locked")]
    with pytest.raises(AudioFormatError):
        find_audio(tmp_path / "locked")


def test_a_file_that_may_not_be_looked_at_is_no_reason_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder that may be listed, and not entered: opening the file says so."""
    for name in ("a.wav", "locked.wav"):
        (tmp_path / name).touch()
    real = os.stat

    def stat(path: object, **options: object) -> os.stat_result:
        if str(path).endswith("locked.wav"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    assert find_audio(tmp_path) == ([tmp_path / "a.wav", tmp_path / "locked.wav"], 0, ())
