"""Comparing: the same pieces and folds for all, and what is written of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

import edgevoice
from edgevoice import ArgumentError, EdgeVoiceWarning
from edgevoice.cli import main
from edgevoice.heads.comparing import comparison_page
from heads.conftest import RATE, table_of, voice


@pytest.fixture(scope="module")
def other(make_model: Callable[..., Path]) -> Path:
    """A model with twice the window."""
    return make_model(name="wide", audio={"rate": 16000, "window": 16000, "hop": 8000})


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def compare(labels: Any, *models: Path, **options: Any) -> Any:
    return edgevoice.compare(labels, label="voice", group="speaker", models=models, opensmile=(), **options)


def with_short(labels: Path, folder: Path, seconds: float) -> Any:
    """The labels and one short recording."""
    table = table_of(labels)
    soundfile.write(folder / "short.wav", voice(90, 1, seconds), RATE)
    table.loc[len(table)] = [str(folder / "short.wav"), "s0", "low", "90", "a"]
    return table


def test_all_are_judged_on_the_same_pieces(labels: Path, tiny_model: Path, other: Path, tmp_path: Path) -> None:
    table = with_short(labels, tmp_path, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EdgeVoiceWarning)
        found = compare(table, tiny_model, other, fractions=(0.5, 1), levels=(None, "window"))
    assert [one.name for one in found.found] == ["tiny, running", "tiny, window", "wide, running", "wide, window"]
    assert found.left_out == ((str(tmp_path / "short.wav"), "all"),)
    for one in found.found:
        assert np.array(one.scores["confusion"]).sum() == sum(found.pieces.values()) == 32
        assert list(one.curve) == [0.5, 1]
    assert found.found[0].difference is None
    value, (low, high) = found.found[1].difference
    assert low <= value <= high
    assert value == pytest.approx(found.found[1].scores["value"] - found.found[0].scores["value"])
    page = comparison_page(found, ["one line <&>"])
    assert "one line &lt;&amp;&gt;" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "short.wav" in page


def test_what_only_one_can_read_is_left_out_of_all(tiny_model: Path, other: Path, labels: Path, tmp_path: Path) -> None:
    table = with_short(labels, tmp_path, 0.9)
    with pytest.warns(EdgeVoiceWarning, match="1 of 17"):
        found = compare(table, tiny_model, other, seconds=1)
    assert found.left_out[0][0] == str(tmp_path / "short.wav")


def test_opensmiles_sets(labels: Path, tiny_model: Path) -> None:
    pytest.importorskip("opensmile", reason="opensmile is not installed")
    options: dict[str, Any] = {"label": "voice", "group": "speaker", "models": [tiny_model]}
    found = edgevoice.compare(labels, opensmile=["eGeMAPSv02"], **options)
    assert (found.found[1].name, found.found[1].columns) == ("openSMILE eGeMAPSv02", 88)
    assert found.found[1].scores["value"] > 0.9
    with pytest.raises(ArgumentError):
        edgevoice.compare(labels, opensmile=["GeMAPSv3"], **options)


@pytest.mark.parametrize(
    "options",
    [
        {"fractions": 0.5},
        {"levels": "window"},
        {"fractions": [0]},
        {"fractions": [2]},
        {"fractions": ["a"]},
        {"levels": ["loud"]},
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], labels: Path, tiny_model: Path) -> None:
    with pytest.raises(ArgumentError):
        compare(labels, tiny_model, **options)


@pytest.mark.parametrize("suffix", [".csv", ".png", ".html"])
def test_the_command(suffix: str, labels: Path, tiny_model: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / f"compared{suffix}"
    words = ["compare", str(labels), "--label", "voice", "--group", "speaker", "--models", str(tiny_model), "--opensmile"]
    assert main([*words, "-o", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("best: tiny, running. voice, where the speaker")
    if suffix == ".csv":
        assert pd.read_csv(out)["numbers"].tolist() == [272]
    assert out.stat().st_size
    assert main([*words, "-o", str(out)]) == 2
