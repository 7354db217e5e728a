"""Audio files below a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevoice.audio.folders import audio_suffixes, find_audio
from edgevoice.errors import AudioFileNotFoundError


def test_files_are_known_by_their_suffix_and_sorted(tmp_path: Path) -> None:
    names = ["b.wav", "a.FLAC", "deep/er/c.mp3", "deep/d.ogg"]
    for name in [*names, "notes.txt", "x.raw", "wav"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    assert find_audio(tmp_path) == sorted(tmp_path / name for name in names)


def test_a_folder_without_audio_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AudioFileNotFoundError, match="no audio file in this folder or below it"):
        find_audio(tmp_path)


def test_headerless_samples_are_no_audio_file() -> None:
    assert {".wav", ".flac", ".ogg", ".opus", ".aif", ".aiff", ".au"} <= audio_suffixes()
    assert ".raw" not in audio_suffixes()
