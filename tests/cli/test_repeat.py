"""`edgevoice repeat`, and the recipes that it follows."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice import ArgumentError
from edgevoice.recipe import Reading, Recipe
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


@pytest.fixture
def recipe(tiny: edgevoice.Extractor) -> dict[str, Any]:
    return {**tiny.recipe().to_dict(), "static": False}


@pytest.mark.parametrize("name", [*FORMATS, "parquet/"])
def test_the_same_numbers_come_again(run: Callable, place: Path, name: str) -> None:
    assert run("extract", "rec", "--level", "2", "--hop", "0.1", "-o", f"out/t.{name}").code == 0
    outcome = run("repeat", f"out/t.{name}", "rec", "-o", f"again.{name}")
    assert (outcome.code, outcome.out[:5], "differ" in outcome.out) == (0, "0 of ", True)


@pytest.mark.parametrize(
    "words",
    [("--channel", "each"), ("--static", "--descriptors", "error", "--level", "window"), ("--pad", "--channel", "0")],
)
def test_settings_come_from_the_recipe_and_inputs_from_the_user(run: Callable, place: Path, words: tuple[str, ...]) -> None:
    assert run("extract", "--index", "index.csv", "-o", "t.csv", *words).code == 0
    (place / "elsewhere").mkdir()
    for name in ("rec", "index.csv"):
        shutil.move(place / name, place / "elsewhere" / name)
    outcome = run("repeat", "t.csv", "--index", "elsewhere/index.csv", "-o", "u.csv")
    assert (outcome.code, outcome.out[:5]) == (0, "0 of ")
    assert Path("u.csv").read_bytes() == Path("t.csv").read_bytes()


def test_numbers_that_differ_are_counted(run: Callable, place: Path, tmp_path: Path) -> None:
    assert run("extract", "rec", "-o", "t.npy").code == 0
    values = np.load("t.npy")
    values[3, 5] += 1
    np.save("t.npy", values)
    outcome = run("repeat", "t.npy", "rec", "-o", "u.npy")
    assert (outcome.code, outcome.out) == (1, f"1 of {values.size} numbers differ, by 1 at most\n")
    outcome = run("repeat", "t.npy", "rec/u0.wav", "-o", "v.npy")
    assert (outcome.code, f"not {len(values)} of 136" in outcome.out) == (1, True)
    outcome = run("repeat", "u.npy", "gone.wav", "-o", "w.npy")
    assert (outcome.code, outcome.out) == (1, "")


def test_the_model_has_to_be_the_same(run: Callable, place: Path, tmp_path: Path) -> None:
    assert run("extract", "rec", "-o", "t.npy").code == 0
    for change in ({"level": {"decay": 0.5}}, {"spectrogram": {"offset": 1.0}}):
        other = make_tiny_model(tmp_path / "models" / next(iter(change)), **change)
        outcome = run("repeat", "t.npy", "rec", "-o", "v.npy", "--model", other)
        assert (outcome.code, "is not the model that made" in outcome.err, Path("v.npy").exists()) == (2, True, False)


def changed(recipe: dict[str, Any], **changes: Any) -> None:
    Path("t.npy.json").write_text(json.dumps({"recipe": {**recipe, **changes}}))


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ["extract", "a.wav", "--failed", "PWNED"]},
        {"failed": "PWNED", "scheduler": "tcp://127.0.0.1:9"},
        {"model": "../stranger"},
        {"model": "stranger"},
        {"level": "--failed=PWNED"},
        {"descriptors": ["all"]},
        {"resampler": "another"},
        {"channel": 1 << 80},
        {"networks": []},
    ],
)
def test_a_strangers_recipe_is_no_command(
    run: Callable, place: Path, tiny_model: Path, recipe: dict[str, Any], changes: dict[str, Any]
) -> None:
    shutil.copytree(tiny_model, place / "stranger")  # never found by a name that a table brings
    np.save("t.npy", np.zeros((1, 136), np.float32))
    changed(recipe, **changes)
    before = sorted(Path().iterdir())
    outcome = run("repeat", "t.npy", "rec", "-o", "u.npy")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert next(iter(changes)) in outcome.err
    assert sorted(Path().iterdir()) == before
    changed(recipe)
    assert run("repeat", "t.npy", "rec", "-o", "u.npy").code == 1  # as zeros differ


def test_what_cannot_be_repeated(run: Callable, place: Path) -> None:
    Path("bare.csv").write_text("a\n1\n")
    outcome = run("repeat", "bare.csv", "rec", "-o", "u.csv")
    assert (outcome.code, "no table with a recipe" in outcome.err) == (2, True)
    assert run("extract", "rec", "-o", "t.csv").code == 0
    assert run("extract", "rec", "-o", "d.parquet/").code == 0
    before = Path("t.csv").read_bytes()
    for table, output in (("t.csv", "./t.csv"), ("t.csv", "u.npy"), ("t.csv", "rec/u0.wav"), ("d.parquet", "d.parquet")):
        outcome = run("repeat", table, "rec", "-o", output)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert Path("t.csv").read_bytes() == before


def test_a_recipe_comes_back_and_cannot_be_changed(tiny: edgevoice.Extractor) -> None:
    recipe = tiny.recipe(Reading(level=2, hop=0.5, channel="each", pad=True))
    assert Recipe.from_json(recipe.to_json()) == recipe == pickle.loads(pickle.dumps(recipe))
    assert {recipe: 1}[tiny.recipe(Reading(level=2.0, hop=0.5, channel="each", pad=True))] == 1
    assert dict(recipe.networks) == dict(tiny.config.files)
    with pytest.raises(TypeError):
        recipe.networks["encoder.onnx"] = "sha256:"  # type: ignore[index]


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(st.text(), SCALAR | st.lists(SCALAR), max_size=3)


@given(data=st.data())
def test_any_json_is_a_recipe_or_an_argument_error(data: st.DataObject, tiny: edgevoice.Extractor) -> None:
    content = tiny.recipe().to_dict()
    names = data.draw(st.sets(st.sampled_from(list(content))))
    content |= {name: data.draw(JSON) for name in names}
    for name in data.draw(st.sets(st.sampled_from(list(content)), max_size=1)):
        del content[name]
    try:
        recipe = Recipe.from_json(json.dumps(content if data.draw(st.booleans()) else data.draw(JSON)))
    except ArgumentError:
        return
    assert hash(recipe) == hash(Recipe.from_json(recipe.to_json()))
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("text", [b"\xff", "[" * 100_000, '{"hop": 1e999}', '{"channel": ' + "9" * 5000 + "}", "NaN", ""])
def test_what_is_no_json_is_an_argument_error_too(text: str | bytes) -> None:
    with pytest.raises(ArgumentError, match="no recipe of EdgeVoice"):
        Recipe.from_json(text)
