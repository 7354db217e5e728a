"""`edgevoice repeat`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.tables.table import FORMATS
from tinymodel import make_tiny_model


@pytest.fixture
def place(tmp_path: Path, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rec").mkdir()
    for k in range(3):
        soundfile.write(tmp_path / "rec" / f"u{k}.wav", noise[20000 * k :][:30000], 16000)
    (tmp_path / "index.csv").write_text("file,start,end,label\nrec/u1.wav,0.25,1.5,x\nrec/u0.wav,,,y\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [*FORMATS, "parquet/"])
def test_the_same_numbers_come_again(run: Callable, place: Path, name: str) -> None:
    assert run("extract", "rec", "--level", "2", "--hop", "0.1", "-o", f"out/t.{name}").code == 0
    outcome = run("repeat", f"out/t.{name}", "-o", f"again.{name}")
    assert outcome.code == 0
    assert outcome.out.startswith("0 of ")
    assert "differ" in outcome.out


def test_an_index_and_a_moved_folder(run: Callable, place: Path) -> None:
    assert run("extract", "--index", "index.csv", "--static", "-o", "t.csv").code == 0
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    for name in ("rec", "index.csv", "t.csv", "t.csv.json"):
        shutil.move(place / name, elsewhere / name)
    outcome = run("repeat", "elsewhere/t.csv", "-o", "u.csv")
    assert (outcome.code, outcome.out) == (0, "0 of 1088 numbers differ\n")
    assert Path("u.csv").read_bytes() == Path("elsewhere/t.csv").read_bytes()


def test_a_table_of_a_folder_is_repeated_by_itself(run: Callable, place: Path) -> None:
    assert run("extract", "rec", "-o", "tables", "--format", "npy").code == 0
    outcome = run("repeat", "tables/u1.npy", "-o", "again.npy")
    assert (outcome.code, np.load("again.npy").shape) == (0, np.load("tables/u1.npy").shape)


def test_a_table_of_a_folder_that_an_index_made_is_repeated_by_itself(run: Callable, place: Path) -> None:
    (place / "index.csv").write_text("file,start,end\nrec/u1.wav,0.25,1.5\nrec/u0.wav,,\nrec/u1.wav,0.5,1.8\n")
    assert run("extract", "--index", "index.csv", "--static", "-o", "tables", "--format", "csv").code == 0
    for name, count in (("u0", 1), ("u1", 2)):
        outcome = run("repeat", f"tables/rec/{name}.csv", "-o", f"{name}.csv")
        assert (outcome.code, outcome.out) == (0, f"0 of {544 * count} numbers differ\n")
    outcome = run("extract", "--index", "index.csv", "--only", "u1.wav")
    assert (outcome.code, "no row of this file" in outcome.err) == (2, True)
    outcome = run("extract", "rec", "--only", "u1.wav")
    assert (outcome.code, "--only is for an index" in outcome.err) == (2, True)


def test_numbers_that_differ_are_counted(run: Callable, place: Path, tmp_path: Path) -> None:
    assert run("extract", "rec", "-o", "t.npy").code == 0
    values = np.load("t.npy")
    values[3, 5] += 1
    np.save("t.npy", values)
    outcome = run("repeat", "t.npy", "-o", "u.npy")
    assert (outcome.code, outcome.out) == (1, f"1 of {values.size} numbers differ, by 1 at most\n")
    np.save("t.npy", values[1:])
    outcome = run("repeat", "t.npy", "-o", "u.npy", "--force")
    assert outcome.code == 1
    assert f"{len(values)} rows of 136 numbers, not {len(values) - 1} of 136" in outcome.out
    other = make_tiny_model(tmp_path / "models" / "other", level={"decay": 0.5})
    outcome = run("repeat", "u.npy", "-o", "v.npy", "--model", other)
    assert outcome.code == 1
    assert " numbers differ, by " in outcome.out


def test_what_cannot_be_repeated_is_told(run: Callable, place: Path) -> None:
    Path("bare.csv").write_text("a\n1\n")
    outcome = run("repeat", "bare.csv", "-o", "u.csv")
    assert (outcome.code, "no table with a recipe" in outcome.err) == (2, True)
    assert run("extract", "rec", "-o", "t.csv").code == 0
    for name in ("t.csv", "u.npy"):
        outcome = run("repeat", "t.csv", "-o", name)
        assert (outcome.code, "expected another name" in outcome.err) == (2, True)
    beside = json.loads(Path("t.csv.json").read_text())
    beside["recipe"]["command"] = ["extract", "--index", "-"]
    Path("t.csv.json").write_text(json.dumps(beside))
    assert "came from standard input" in run("repeat", "t.csv", "-o", "u.csv").err
