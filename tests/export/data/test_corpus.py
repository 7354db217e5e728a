from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.errors import ArgumentError, AudioFileNotFoundError, AudioFormatError, OutputError
from edgevoice_export.data import corpus as module
from edgevoice_export.data.corpus import Corpus, read_corpus


@pytest.fixture
def folder(audio_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(audio_folder, tmp_path / "audio"))


def read(folder: Path, **options: object) -> Corpus:
    return read_corpus(folder, 16000, 8000, cache=folder.parent / "cache", **options)  # type: ignore[arg-type]


def test_speaker_is_the_folder_without_a_table(corpus: Corpus):
    assert corpus.files[:2] == ("anna/one.wav", "anna/two.flac")
    assert corpus.speakers == ("anna", "anna", "ben", "ben", "carla", "carla")
    assert corpus.skipped == ()


def test_samples_are_those_of_the_file(corpus: Corpus, audio_folder: Path):
    expected, _ = soundfile.read(audio_folder / "ben" / "one.wav", dtype="int16")
    np.testing.assert_array_equal(corpus.samples[corpus.bounds[2] : corpus.bounds[3]], expected)
    np.testing.assert_array_equal(corpus.recordings([2])[0], expected)


def test_table_names_files_and_speakers(folder: Path):
    table = folder / "utterances.csv"
    table.write_text("speaker,file,age\nx,carla/one.wav,9\ny,anna/two.flac,8\n")
    found = read(folder)
    assert dict(zip(found.files, found.speakers, strict=True)) == {"anna/two.flac": "y", "carla/one.wav": "x"}
    other = folder.parent / "other.csv"
    other.write_text("file,speaker\nben/one.wav,z\n")
    assert read(folder, table=other).speakers == ("z",)


@pytest.mark.parametrize("content", ["file,person\na,b\n", "", "\xff\xfe", "file,speaker\n"])
def test_table_without_the_columns_is_refused(folder: Path, content: str):
    (folder / "utterances.csv").write_text(content, encoding="latin-1")
    with pytest.raises(AudioFormatError):
        read(folder)


def test_table_of_a_spreadsheet_with_absolute_and_detouring_paths(folder: Path):
    rows = f"file,speaker\n./anna/one.wav,a\n{folder / 'ben' / 'one.wav'},b\nben/../carla/one.wav,c\n"
    (folder / "utterances.csv").write_text(rows, encoding="utf-8-sig")
    found = read(folder)
    assert dict(zip(found.files, found.speakers, strict=True)) == {
        "anna/one.wav": "a",
        "ben/one.wav": "b",
        "carla/one.wav": "c",
    }


@pytest.mark.parametrize(
    "row", ["/elsewhere/1.wav,x", "../1.wav,x", ".,x", ",x", "ben/one.wav", "ben/one.wav,", "anna/one.wav,x"]
)
def test_rows_that_cannot_be_used_are_refused_before_decoding(folder: Path, row: str, monkeypatch: pytest.MonkeyPatch):
    (folder / "utterances.csv").write_text(f"file,speaker\nanna/one.wav,a\n{row}\n")
    monkeypatch.setattr(module, "read_file", None)
    with pytest.raises(ArgumentError):
        read(folder)


def test_bad_files_are_named_and_skipped(folder: Path):
    (folder / "anna" / "empty.wav").touch()
    (folder / "ben" / "text.flac").write_text("not audio")
    whole = (folder / "ben" / "one.wav").read_bytes()
    (folder / "ben" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    soundfile.write(folder / "carla" / "short.wav", np.zeros(7999), 16000)
    soundfile.write(folder / "carla" / "nan.wav", np.full(9000, np.nan), 16000, subtype="FLOAT")
    found = read(folder)
    assert len(found) == 6
    names = ["empty.wav", "cut.wav", "text.flac", "nan.wav", "short.wav"]
    assert len(found.skipped) == len(names)
    for name, reason in zip(names, found.skipped, strict=True):
        assert name in reason


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_names_need_not_be_text(folder: Path):
    os.rename(folder / "anna" / "one.wav", bytes(folder / "anna") + b"/\xff.wav")  # noqa: PTH104
    assert len(read(folder)) == 6


def test_nothing_usable(folder: Path, tmp_path: Path):
    silent = tmp_path / "silent"
    silent.mkdir()
    for place, options in ((tmp_path / "none", {}), (silent, {}), (folder, {"table": folder / "none.csv"})):
        with pytest.raises(AudioFileNotFoundError):
            read(place, **options)
    (silent / "a.wav").write_text("no")
    for place, options in ((silent, {}), (folder, {"table": folder / "anna"})):
        with pytest.raises(AudioFormatError):
            read(place, **options)


def test_names_that_are_not_utf8(folder: Path):
    (folder / "anna").rename(os.fsdecode(os.fsencode(folder) + b"/\xe4nna"))
    assert "\udce4nna" in read(folder).speakers


def test_cache_is_used_again_and_follows_the_content(folder: Path, monkeypatch: pytest.MonkeyPatch):
    first = read(folder)
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_file", None)
        assert read(folder).digest == first.digest
    samples, rate = soundfile.read(folder / "anna" / "one.wav")
    soundfile.write(folder / "anna" / "one.wav", samples / 2, rate)
    second = read(folder)
    assert second.digest != first.digest
    np.testing.assert_allclose(second.recordings([0])[0], first.recordings([0])[0] / 2, atol=1)


def test_cache_that_cannot_be_written(folder: Path):
    (folder.parent / "cache").touch()
    with pytest.raises(OutputError):
        read(folder)
