"""`edgevoice extract`."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.corpus.run import results


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def values(text: str, names: list[str]) -> np.ndarray:
    return np.array([[row[name] for name in names] for row in rows(text)]).astype(np.float32)


def without_counts(err: str) -> list[str]:
    """What was said on stderr, but for the line of counts."""
    return [line for line in err.splitlines() if " s of audio, " not in line]


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


def test_csv_on_standard_output_is_what_extract_gives(
    run: Callable, root: Path, speech: Path, tiny: edgevoice.Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    outcome = run("extract", speech)
    features = tiny.extract(speech)
    assert (outcome.code, outcome.err) == (0, "edgevoice: 1 file, 31 frames, 8.1 s of audio, 0 failures\n")
    np.testing.assert_array_equal(values(outcome.out, features.names), features.values)
    second = rows(outcome.out)[1]
    assert (second["file"], second["index"], second["start"], second["end"]) == (
        "tests/data/speech.wav",
        "1",
        "0.25",
        "0.75",
    )
    assert run("extract", speech, "--dynamic", "-o", "-").out == outcome.out
    assert not (root / "-").exists()


def test_options_reach_extract(run: Callable, speech: Path, tiny_model: Path) -> None:
    extractor = edgevoice.load(tiny_model, descriptors="bottleneck")
    features = extractor.extract(speech, level=2.5, hop=0.1, start=1.0, end=3.0, channel=0)
    options = ("--level", "2.5", "--hop", "0.1", "--start", "1", "--end", "3", "--channel", "0")
    outcome = run("extract", speech, *options, "--descriptors", "bottleneck", "--threads", "2")
    assert outcome.code == 0
    np.testing.assert_array_equal(values(outcome.out, features.names), features.values)
    assert rows(outcome.out)[0]["start"] == "1.0"


def test_jobs_are_all_cores_unless_a_number_is_given(
    run: Callable, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def seen(extractor: object, rows: object, reading: object, jobs: int, *others: object) -> object:
        asked.append(jobs)
        return results(extractor, rows, reading, jobs, *others)

    monkeypatch.setattr("edgevoice.extractor.usable_cores", lambda: 8)
    monkeypatch.setattr("edgevoice.cli.extract.results", seen)
    for options in ((), ("--jobs", "3"), ("--threads", "3"), ("--jobs", "1")):
        assert run("extract", folder, "-o", tmp_path / "table.npy", "--force", *options).code == 0
    assert asked == [8, 3, 2, 1]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_folder_in_one_table(run: Callable, folder: Path, tmp_path: Path, tiny: edgevoice.Extractor, jobs: int) -> None:
    out = tmp_path / "table.csv"
    outcome = run("extract", folder, "-o", out, "--jobs", jobs)
    assert outcome[:2] == (0, "")
    assert outcome.err.splitlines() == [
        "edgevoice: 1 other file was not read: unknown suffix",
        "edgevoice: 3 files, 61 frames, 16.2 s of audio, 0 failures",
    ]
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


def test_a_bad_input_is_told_at_the_end_and_the_others_are_done(run: Callable, folder: Path, tmp_path: Path) -> None:
    (folder / "aa.wav").write_text("not audio")
    soundfile.write(folder / "short.wav", np.zeros(7999), 16000)
    out = tmp_path / "out"
    outcome = run("extract", folder, tmp_path / "gone.wav", tmp_path / "out", "-o", out, "--jobs", "2", "--root", tmp_path)
    assert outcome.code == 1
    assert "3 files, 61 frames, 16.7 s of audio, 4 failures" in outcome.err
    told = without_counts(outcome.err)[1:]
    assert [line.split(": ")[1] for line in told] == [
        str(folder / "aa.wav"),
        str(folder / "short.wav"),
        *[str(tmp_path / "gone.wav"), str(tmp_path / "out")],
    ]
    tables = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert tables == [f"in/{name}.csv{end}" for name in ("a", "b", "sub/a") for end in ("", ".json")]


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda _: None], ids=["empty", "an empty folder", "missing"])
def test_a_bad_file_makes_no_table(run: Callable, tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "bad.wav")
    outcome = run("extract", tmp_path / "bad.wav", "-o", tmp_path / "out.csv")
    assert (outcome.code, outcome.out) == (1, "")
    [line] = without_counts(outcome.err)
    assert line.startswith(f"edgevoice: {tmp_path / 'bad.wav'}: ")
    assert not (tmp_path / "out.csv").exists()


def test_what_is_there_of_an_incomplete_file_is_kept_on_request(
    run: Callable, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cut.wav").write_bytes(speech.read_bytes()[:100_000])
    assert run("extract", "cut.wav", "-o", "t.csv").code == 1
    outcome = run("extract", "cut.wav", "-o", "t.csv", "--incomplete", "keep")
    assert (outcome.code, len(rows(Path("t.csv").read_text())), outcome.err.count("\n")) == (0, 11, 2)
    assert json.loads(Path("t.csv.json").read_text())["recipe"]["incomplete"] == "keep"
    assert run("repeat", "t.csv", "cut.wav", "-o", "u.csv").out[:5] == "0 of "


def test_a_name_too_long_for_a_table_fails_its_file(run: Callable, speech: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for stem in ("a", "m" * 251, "z"):
        shutil.copyfile(speech, tmp_path / "in" / f"{stem}.wav")
    result = run("extract", tmp_path / "in", "-o", tmp_path / "out/", "--failed", tmp_path / "failed.csv")
    assert result.code == 1
    assert {path.name for path in (tmp_path / "out").glob("*.csv")} == {"a.csv", "z.csv"}
    assert (tmp_path / "failed.csv").read_text().count("\n") == 2
