"""`edgevoice extract`."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def values(text: str, names: list[str]) -> np.ndarray:
    return np.array([[row[name] for name in names] for row in rows(text)]).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path, speech: Path) -> Path:
    """Recordings in a folder and one below it, of several formats, and what is no recording."""
    samples, rate = soundfile.read(speech, dtype="int16")
    (tmp_path / "in" / "sub").mkdir(parents=True)
    soundfile.write(tmp_path / "in" / "b.flac", samples, rate)
    soundfile.write(tmp_path / "in" / "a.WAV", samples[:40000], rate)
    soundfile.write(tmp_path / "in" / "sub" / "a.aiff", samples[40000:], rate)
    (tmp_path / "in" / "notes.txt").write_text("no audio")
    return tmp_path / "in"


def called(path: Path) -> str:
    """What a file that was named is called in a table."""
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)


def test_csv_on_standard_output_is_what_extract_gives(run: Callable, speech: Path, tiny: edgevoice.Extractor) -> None:
    outcome = run("extract", speech)
    features = tiny.extract(speech)
    assert (outcome.code, outcome.err) == (0, "")
    np.testing.assert_array_equal(values(outcome.out, features.names), features.values)
    second = rows(outcome.out)[1]
    assert (second["file"], second["index"], second["start"], second["end"]) == (called(speech), "1", "0.25", "0.75")
    assert run("extract", speech, "--dynamic").out == outcome.out


def test_options_reach_extract(run: Callable, speech: Path, tiny_model: Path) -> None:
    extractor = edgevoice.load(tiny_model, descriptors="bottleneck")
    features = extractor.extract(speech, level=2.5, hop=0.1, start=1.0, end=3.0, channel=0)
    options = ("--level", "2.5", "--hop", "0.1", "--start", "1", "--end", "3", "--channel", "0")
    outcome = run("extract", speech, *options, "--descriptors", "bottleneck", "--threads", "2")
    assert outcome.code == 0
    np.testing.assert_array_equal(values(outcome.out, features.names), features.values)
    assert rows(outcome.out)[0]["start"] == "1.0"


def test_jobs_are_what_is_computed_at_once_over_files_and_within_them(
    run: Callable, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def seen(extractor: edgevoice.Extractor, audio: Path, *, workers: int | None, **_: object) -> edgevoice.Features:
        asked.append(workers)
        return extractor.stream().push(np.zeros(8000))

    monkeypatch.setattr("edgevoice.analysis.usable_cores", lambda: 8)
    monkeypatch.setattr(edgevoice.Extractor, "extract", seen)
    for options, workers in (
        ((), 2),
        (("--threads", "3"), 1),
        (("--jobs", "1"), 1),
        (("--jobs", "6"), 2),
        (("--jobs", "3", "--threads", "5"), 1),
    ):
        assert run("extract", folder, "-o", tmp_path / "table.npy", "--force", *options).code == 0
        assert asked == [workers] * 3
        asked.clear()
    assert run("extract", folder / "b.flac", "--jobs", "5").code == 0
    assert asked == [5]


def test_static_is_one_row_of_functionals(run: Callable, speech: Path, tiny: edgevoice.Extractor) -> None:
    features = tiny.extract(speech)
    outcome = run("extract", speech, "--static")
    assert outcome.out.startswith("file,start,end,frames,silent,gap,loudness,mean_bottleneck_0,")
    np.testing.assert_array_equal(values(outcome.out, features.functional_names), features.functionals()[None])


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_folder_in_one_table(run: Callable, folder: Path, tmp_path: Path, tiny: edgevoice.Extractor, jobs: int) -> None:
    out = tmp_path / "table.csv"
    outcome = run("extract", folder, "-o", out, "--jobs", jobs)
    assert outcome[:2] == (0, "")
    assert outcome.err.splitlines()[-1].startswith("edgevoice: done: 3 files, ")
    files = [folder / "a.WAV", folder / "b.flac", folder / "sub" / "a.aiff"]
    features = [tiny.extract(file) for file in files]
    found = rows(out.read_text())
    assert [row["file"] for row in found] == [
        file.relative_to(folder).as_posix() for k, file in enumerate(files) for _ in features[k]
    ]
    expected = np.concatenate([part.values for part in features])
    np.testing.assert_array_equal(values(out.read_text(), tiny.layout.names), expected)
    run("extract", folder, "-o", tmp_path / "table.npy", "--jobs", jobs)
    np.testing.assert_array_equal(np.load(tmp_path / "table.npy"), expected)
    run("extract", folder, "-o", tmp_path / "static.npy", "--static", "--jobs", jobs)
    np.testing.assert_array_equal(np.load(tmp_path / "static.npy"), [part.functionals() for part in features])


@pytest.mark.parametrize("kind", ["csv", "npy"])
def test_a_folder_of_tables_mirrors_the_folder_of_recordings(run: Callable, folder: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    assert run("extract", folder, "-o", out, "--format", kind).code == 0
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert found == [f"a.{kind}", f"b.{kind}", f"sub/a.{kind}"]


def test_a_folder_may_have_a_dot_in_its_name(run: Callable, speech: Path, tmp_path: Path) -> None:
    root = ("--root", speech.parent)
    assert run("extract", speech, *root, "-o", f"{tmp_path}/v1.2/").code == 0
    assert run("extract", speech, *root, "-o", tmp_path / "v1.2", "--format", "npy").code == 0
    assert sorted(path.name for path in (tmp_path / "v1.2").iterdir()) == ["speech.csv", "speech.npy"]


def test_a_bad_input_is_told_at_the_end_and_the_others_are_done(run: Callable, folder: Path, tmp_path: Path) -> None:
    (folder / "aa.wav").write_text("not audio")
    soundfile.write(folder / "short.wav", np.zeros(7999), 16000)
    out = tmp_path / "out"
    failures = tmp_path / "failed.csv"
    options = ("-o", out, "--jobs", "2", "--root", tmp_path, "--failed", failures)
    outcome = run("extract", folder, tmp_path / "gone.wav", tmp_path / "out", *options)
    assert outcome.code == 1
    told = [line for line in outcome.err.splitlines() if "done: " not in line and "not audio by" not in line]
    assert [row["file"] for row in rows(failures.read_text())] == [
        *(f"{folder.name}/{name}" for name in ("aa.wav", "short.wav")), "gone.wav", "out"
    ]  # fmt: skip
    assert [line.split(": ")[1] for line in told] == [
        str(folder / "aa.wav"),
        str(folder / "short.wav"),
        *[str(tmp_path / "gone.wav"), str(tmp_path / "out")],
    ]
    assert len(list(out.rglob("*.csv"))) == 3


def cut_short(speech: Path, path: Path) -> None:
    path.write_bytes(speech.read_bytes()[:-1000])


def not_finite(_: Path, path: Path) -> None:
    soundfile.write(path, np.full(16000, np.nan, np.float32), 16000, subtype="FLOAT")


BAD: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "empty": (lambda _, path: path.touch(), "is empty"),
    "no audio": (lambda _, path: path.write_bytes(bytes(range(256)) * 9), "is not audio that can be read"),
    "cut short": (cut_short, "is cut short"),
    "no samples": (lambda _, path: soundfile.write(path, np.zeros(0), 16000), "has no samples"),
    "too short": (lambda _, path: soundfile.write(path, np.zeros(7999), 16000), "less than one window"),
    "not finite": (not_finite, "samples hold NaN or infinity"),
    "a folder": (lambda _, path: path.mkdir(), "no audio file in this folder or below it"),
    "missing": (lambda *_: None, "no such file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_alone_makes_no_table(run: Callable, speech: Path, tmp_path: Path, kind: str) -> None:
    make, message = BAD[kind]
    make(speech, tmp_path / "bad.wav")
    outcome = run("extract", tmp_path / "bad.wav", "-o", tmp_path / "out.csv")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"edgevoice: {tmp_path / 'bad.wav'}: ")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()


def test_silence_is_finite_and_flagged_and_short_audio_can_be_padded(run: Callable, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), 16000)
    soundfile.write(tmp_path / "short.wav", np.full(100, 0.5), 16000)
    outcome = run("extract", tmp_path / "silence.wav", tmp_path / "short.wav", "--pad")
    assert outcome.code == 0
    found = rows(outcome.out)
    assert [row["silent"] for row in found] == ["true", "false"]
    assert np.isfinite(np.array([list(row.values())[7:] for row in found]).astype(float)).all()


def test_a_channel_that_one_file_lacks_fails_that_file(run: Callable, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (16000, 2))
    soundfile.write(tmp_path / "mono.wav", noise[:, 0], 16000)
    soundfile.write(tmp_path / "stereo.wav", noise, 16000)
    outcome = run("extract", tmp_path, "--channel", "1")
    assert outcome.code == 1
    message = f"edgevoice: {tmp_path / 'mono.wav'}: has 1 channel(s), counted from 0; there is no channel 1"
    assert outcome.err.splitlines()[1:] == [message]
    assert {row["file"] for row in rows(outcome.out)} == {"stereo.wav"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "table.xls"), "no table format has the suffix '.xls'"),
        (("-o", "table.csv", "--format", "npy"), "its suffix says csv, --format says npy"),
        (("--format", "npy"), "only csv goes to standard output"),
        (("--start", "2", "--end", "1"), "end 1.0: expected more than start"),
        (("--start", "-1"), "start -1.0: expected seconds, from 0 to 1e+09"),
    ],
)
def test_wrong_options_are_told_before_anything_is_written(
    run: Callable, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run("extract", speech, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_an_error(run: Callable, speech: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "out.csv", tmp_path / "file"):
        outcome = run("extract", speech, "-o", out)
        assert outcome.code == 1
        assert f"edgevoice: {out}: cannot be written" in outcome.err


def test_a_broken_model_folder_is_told(run: Callable, speech: Path, tiny_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "encoder.onnx").write_bytes(b"altered")
    outcome = run("extract", speech, "--model", broken)
    assert outcome.code == 2
    assert "encoder.onnx: is not the file that model.json lists" in outcome.err
    (broken / "model.json").write_text('{"format": 1}')
    outcome = run("extract", speech, "--model", broken)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("out", ["table.csv", "table.npy", "tables"])
def test_nothing_that_is_there_is_replaced_without_force(run: Callable, folder: Path, tmp_path: Path, out: str) -> None:
    first = run("extract", folder, "--static", "-o", tmp_path / out)
    assert first.code == 0
    before = {path: path.read_bytes() for path in (tmp_path, *tmp_path.rglob("*")) if path.is_file()}
    again = run("extract", folder, "--static", "-o", tmp_path / out)
    assert again.code == edgevoice.OutputError.exit_code
    assert "is there already, and is not replaced: name another file, or say --force" in again.err
    assert {path: path.read_bytes() for path in (tmp_path, *tmp_path.rglob("*")) if path.is_file()} == before
    assert run("extract", folder, "-o", tmp_path / out, "--force").code == 0


def test_a_table_that_came_meanwhile_stays(
    run: Callable, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "table.csv"
    extract = edgevoice.Extractor.extract

    def slow(*arguments: Any, **options: Any) -> edgevoice.Features:
        out.write_text("of another process")
        return extract(*arguments, **options)

    monkeypatch.setattr(edgevoice.Extractor, "extract", slow)
    outcome = run("extract", folder, "-o", out)
    assert (outcome.code, out.read_text()) == (edgevoice.OutputError.exit_code, "of another process")
    assert "is not replaced" in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir() if ".part" in path.name) == []


def test_speakers_with_recordings_of_one_name_keep_apart(run: Callable, speech: Path, tmp_path: Path) -> None:
    for speaker in ("spk1", "spk2"):
        (tmp_path / speaker).mkdir()
        (tmp_path / speaker / "u1.wav").write_bytes(speech.read_bytes())
    folders = (tmp_path / "spk1", tmp_path / "spk2")
    outcome = run("extract", *folders, "-o", tmp_path / "out")
    assert outcome.code == 2
    assert "would have the same table" in outcome.err
    assert run("extract", *folders, "--root", tmp_path, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "spk1" / "u1.csv").is_file()
    assert (tmp_path / "out" / "spk2" / "u1.csv").is_file()
    table = run("extract", *folders, "--root", tmp_path, "--static").out
    assert [row["file"] for row in rows(table)] == ["spk1/u1.wav", "spk2/u1.wav"]


def test_what_is_no_audio_is_told_once_with_its_count(run: Callable, folder: Path) -> None:
    for name in ("notes.txt", "labels.csv", ".hidden", "._b.flac"):
        (folder / name).touch()
    outcome = run("extract", folder)
    told = [line for line in outcome.err.splitlines() if "not audio" in line]
    assert told == ["edgevoice: 2 files of the folders are not audio by their suffix, and were not read"]
