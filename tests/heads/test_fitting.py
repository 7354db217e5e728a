"""Fitting: pieces, refusals, scores that keep their word."""

from __future__ import annotations

import csv
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

import edgevoice
from benchmarks.heads import prepare, summary, trial
from edgevoice import ArgumentError, EdgeVoiceWarning, Extractor, Head
from edgevoice.heads.judging import Task, calibration_error, folds_of, hold_out, score, with_interval
from edgevoice.heads.pieces import read_labels, run_of
from heads.conftest import RATE, table_of, voice


def refit(labels: Any, kept: Path, tiny: Extractor, **changes: Any) -> Head:
    return edgevoice.fit(labels, **{"label": "voice", "group": "speaker", "model": tiny, "features": kept, **changes})


def test_voices_are_told_apart(head: Head) -> None:
    scores = head.scores
    assert scores["better"]
    assert scores["interval"][0] < scores["value"] <= scores["interval"][1] <= 1
    assert scores["value"] > 0.95
    assert scores["interval"][0] < 0.95  # of eight speakers, even all right is no certainty
    assert np.array(scores["confusion"]).sum() == sum(head.about["counts"].values()) == 32
    assert "right for" in head.sentence


def test_numbers(labels: Path, kept: Path, tiny: Extractor) -> None:
    head = refit(labels, kept, tiny, label="pitch", numeric=True)
    assert head.labels == ()
    assert head.scores["value"] < head.scores["chance"] / 2
    assert head.scores["correlation"] > 0.9
    said = head.decide(tiny.extract((voice(100, 5), RATE)))[0]
    assert said.label is None
    assert said.probabilities == {}
    assert said.value == pytest.approx(100, abs=40)


def test_random_labels_are_no_better_than_chance(labels: Path, kept: Path, tiny: Extractor) -> None:
    table = table_of(labels)
    table["voice"] = ["ab"[k // 4 % 2] for k in range(16)]  # two speakers, one of each pitch, have the same
    head = refit(table, kept.parent / "random.parquet", tiny)
    low, high = head.scores["interval"]
    assert low <= 0.5 <= high
    assert not head.scores["better"]
    assert "no better than chance" in head.sentence


@pytest.mark.parametrize(
    ("column", "cells", "options"),
    [
        ("voice", ["low"] * 16, {}),
        ("voice", ["low"] * 14 + ["high"] * 2, {}),
        ("speaker", ["s"] * 16, {}),
        ("voice", ["low", ""] * 8, {}),
        ("voice", ["low", "NaN"] * 8, {}),
        ("speaker", ["", *"abcdefghijklmno"], {}),
        ("voice", [str(k) for k in range(16)], {}),
        ("voice", [f"{k / 3:.4f}" for k in range(16)], {}),
        ("voice", ["low", "high"] * 8, {"numeric": True}),
        ("voice", ["1", "inf"] * 8, {"numeric": True}),
        ("voice", ["1", "1e200"] * 8, {"numeric": True}),
        ("end", [4000] * 16, {}),
        ("start", [-3.0] * 16, {}),
        ("voice", ["3.0", "3"] * 8, {"numeric": True}),
        ("voice", ["low", "high"] * 8, {"label": "sex"}),
        ("voice", ["low", "high"] * 8, {"group": "sex"}),
        ("voice", ["low", "high"] * 8, {"group": "voice"}),
        ("voice", ["low", "high"] * 8, {"seconds": 0.1}),
        ("voice", ["low", "high"] * 8, {"seconds": float("nan")}),
        ("voice", ["low", "high"] * 8, {"seconds": 1e9}),
        ("voice", ["low", "high"] * 8, {"seconds": 6}),
    ],
)
def test_labels_that_cannot_be_judged_are_refused(
    column: str, cells: list[str], options: dict[str, Any], labels: Path, kept: Path, tiny: Extractor
) -> None:
    table = pd.read_csv(labels, dtype=str)
    table[column] = cells
    if column in ("start", "end"):
        table = table.assign(**{"start": 0.0, "end": 4.0, column: cells})
    warnings.simplefilter("ignore", EdgeVoiceWarning)
    with pytest.raises(ArgumentError) as error:
        refit(table, kept, tiny, root=labels.parent, **options)
    assert "\n" not in str(error.value)


def test_a_recording_is_of_one_group(labels: Path) -> None:
    table = table_of(labels)
    table.loc[1, "file"] = table.loc[15, "file"]
    with pytest.raises(ArgumentError, match="two groups"):
        read_labels(table, None, "voice", "speaker", numeric=False)


def test_few_numbers_are_labels(labels: Path, kept: Path, tiny: Extractor) -> None:
    table = pd.read_csv(labels)
    table["voice"] = np.where(table["voice"] == "low", 1, 5)
    assert refit(table, kept, tiny, root=labels.parent).labels == ("1", "5")


def test_files_that_cannot_be_read_are_left_out(tmp_path: Path, labels: Path, tiny: Extractor) -> None:
    table = table_of(labels)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "short.wav", voice(90, 1, 1), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(5 * RATE), RATE)
    more = pd.DataFrame([{**table.iloc[0], "file": name} for name in ("broken.wav", "short.wav", "silent.wav")])
    with pytest.warns(EdgeVoiceWarning) as caught:
        head = refit(pd.concat([table, more], ignore_index=True), tmp_path / "frames.parquet", tiny, root=tmp_path)
    assert {str(one.message)[:7] for one in caught} == {"1 of 19", "3 of 19"}
    assert head.about["recordings"] == 16


def test_a_recording_is_found_by_any_name(tmp_path: Path, labels: Path, tiny: Extractor) -> None:
    for file in labels.parent.glob("*.wav"):
        (tmp_path / file.name).symlink_to(file)
    try:
        (tmp_path / os.fsdecode(b"\xe4.wav")).symlink_to(labels.parent / "0_0.wav")
    except OSError:
        pytest.skip("names of files are Unicode here")
    content = labels.read_bytes().replace(b"0_0.wav", b"\xe4.wav").replace(b"1_0.wav", bytes(tmp_path / "1_0.wav"))
    (tmp_path / "labels.csv").write_bytes(content)
    assert refit(tmp_path / "labels.csv", tmp_path / "frames.parquet", tiny).about["recordings"] == 16


def test_what_needs_a_package_is_tried_again(
    tmp_path: Path, labels: Path, tiny: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    (tmp_path / "speech.amr").write_bytes(b"#!AMR\n" + (b"\x3c" + bytes(31)) * 250)
    table = table_of(labels)
    table.loc[len(table)] = [str(tmp_path / "speech.amr"), "s0", "low", "90", "a"]
    said = []
    for found in (None, sys.modules["av"]):
        monkeypatch.setitem(sys.modules, "av", found)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            refit(table, tmp_path / "frames.parquet", tiny)
        said.append(any("pip install av" in str(one.message) for one in caught))
    assert said == [True, False]


def test_a_part_of_a_recording_has_the_frames_of_the_whole(tmp_path: Path, tiny: Extractor, head: Head) -> None:
    """The level goes on, as live; pieces are inside their part."""
    rows = []
    for speaker in range(4):
        samples = np.concatenate([voice(95, speaker, 4.3), voice(240, speaker, 4.3)])
        soundfile.write(tmp_path / f"{speaker}.wav", samples, RATE)
        rows += [[f"{speaker}.wav", 0, 4.3, f"s{speaker}", "low"], [f"{speaker}.wav", 4.3, "", f"s{speaker}", "high"]]
    with (tmp_path / "parts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "start", "end", "speaker", "voice"], *rows])
    found = refit(tmp_path / "parts.csv", tmp_path / "frames.parquet", tiny)
    assert found.about["counts"] == {"high": 8, "low": 8}
    assert found.scores["value"] == 1
    assert len(list((tmp_path / "frames.parquet").glob("part-*.parquet"))) == 1  # each file once


def test_another_label_reads_no_file_again(tmp_path: Path, labels: Path, tiny: Extractor) -> None:
    calls: list[tuple[int, int]] = []
    for name in ("voice", "take"):
        refit(labels, tmp_path / "frames.parquet", tiny, label=name, progress=lambda done, of: calls.append((done, of)))
    assert calls[-1] == (16, 16)
    assert len(calls) == 16


def test_frames_are_kept_in_the_users_cache(
    tmp_path: Path, labels: Path, tiny: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    edgevoice.fit(labels, label="voice", group="speaker", model=tiny, out=tmp_path / "head.onnx")
    assert len(list((tmp_path / "edgevoice" / "features").glob("tiny-*.parquet"))) == 1
    assert edgevoice.load_head(tmp_path / "head.onnx").labels == ("high", "low")
    monkeypatch.setenv("XDG_CACHE_HOME", str(labels))
    with pytest.raises(edgevoice.OutputError, match="XDG_CACHE_HOME names another folder: cannot be written"):
        edgevoice.fit(labels, label="voice", group="speaker", model=tiny)


@pytest.mark.parametrize(
    ("name", "known"), [("speechocean762", True), ("my_SpeechOcean762-wav", True), ("mine", False), ("english", False)]
)
def test_speakers_that_the_network_knows_are_warned_of(
    name: str, known: bool, tmp_path: Path, labels: Path, make_model: Any
) -> None:
    (tmp_path / name).symlink_to(labels.parent, target_is_directory=True)
    data = "speechocean762 (Zhang et al., Interspeech 2021), and others in English"
    model = make_model(origin={"trained_on": {"data": data}})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", EdgeVoiceWarning)
        refit(tmp_path / name / "labels.csv", tmp_path / "frames.parquet", edgevoice.load(model))
    assert any("speechocean762" in str(one.message) for one in caught) == known


def test_pieces_share_no_audio() -> None:
    assert run_of(2, 8000, 4000, 16000) == (7, 8)
    assert run_of(2.1, 8000, 4000, 16000) == (7, 9)
    assert run_of(np.float32(2), 8000, 4000, 16000) == run_of(np.int64(2), 8000, 4000, 16000) == (7, 8)
    assert run_of(0.5, 8000, 4000, 16000) == (1, 2)
    assert run_of(4, 60000, 30000, 16000) == (1, 3)


def test_a_rare_label_is_not_drowned() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 50)
    targets = (np.arange(2000) % 50 == 0).astype(np.int64)
    values = (rng.normal(size=(2000, 6)) + targets[:, None]).astype(np.float32)
    task = Task(targets, groups, ("often", "rare"))
    found = hold_out(values, task, folds_of(task))
    scores = score(task, found.said, found.guess)
    confusion = np.array(scores["confusion"])
    assert confusion[1, 1] / confusion[1].sum() > 0.75
    assert scores["calibration"] < 0.1


def test_folds_split_no_group_and_hold_every_label() -> None:
    targets = np.repeat([0, 0, 1, 1, 2, 2], 10)
    groups = np.repeat(np.arange(6), 10)
    folds = folds_of(Task(targets, groups, ("a", "b", "c")))
    assert len(folds) == 2
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert set(targets[train]) == {0, 1, 2}


def test_scores_are_scikit_learns_and_scipys() -> None:
    from scipy.stats import pearsonr
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, mean_absolute_error

    rng = np.random.default_rng(0)
    truth, said, groups = rng.integers(0, 3, 300), rng.integers(0, 3, 300), rng.integers(0, 9, 300)
    found = score(Task(truth, groups, ("a", "b", "c")), np.eye(3)[said], np.zeros(300))
    assert found["value"] == pytest.approx(balanced_accuracy_score(truth, said))
    assert found["f1"] == pytest.approx(f1_score(truth, said, average="macro"))
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, said))
    numbers = score(Task(truth.astype(float), groups, ()), said[:, None].astype(float), np.zeros(300))
    assert numbers["value"] == pytest.approx(mean_absolute_error(truth, said))
    assert numbers["correlation"] == pytest.approx(pearsonr(truth, said)[0])


@pytest.mark.parametrize("count", [3, 5, 12, 40])
@pytest.mark.parametrize("mean", [0.5, 0.8, 0.97])
def test_intervals_contain_what_other_groups_give(count: int, mean: float) -> None:
    """Groups differ: each has a share of its own, drawn from a beta distribution."""
    rng = np.random.default_rng(0)

    def drawn() -> np.ndarray:
        right = rng.binomial(30, rng.beta(8 * mean, 8 * (1 - mean), count))
        return np.stack([np.stack([right, 30 - right], 1), np.zeros((count, 2))], 1).astype(float)

    def recall(confusion: np.ndarray) -> float:
        return Task(np.zeros(1, np.int64), np.zeros(1, np.int64), ("right", "wrong")).statistics(confusion)["value"]

    contained, width = 0, []
    for _ in range(200):
        _, (low, high) = with_interval(drawn(), recall, count - 1)
        contained += low <= recall(drawn().sum(axis=0)) <= high
        width.append(high - low)
    assert contained >= 176
    assert count < 40 or np.mean(width) < 0.25  # it says something


def test_calibration_error_tells_sure_from_right() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 4000)
    first = rng.random(4000) < 0.5
    probabilities = np.stack([np.where(first, sure, 1 - sure), np.where(first, 1 - sure, sure)], axis=1)
    honest = (rng.random(4000) > probabilities[:, 0]).astype(np.int64)
    groups = np.arange(4000) // 100
    assert calibration_error(Task(honest, groups, ("a", "b")), probabilities) < 0.05
    wrong = rng.integers(0, 2, 4000)
    assert calibration_error(Task(wrong, groups, ("a", "b")), probabilities) > 0.2


@pytest.mark.slow
def test_what_it_says_is_found_on_other_speakers(shared: Path, tmp_path: Path) -> None:
    """Ten of the hundred halvings that `benchmarks/heads.py` makes."""
    path = shared / "data" / "unheard" / "utterances.csv"
    if not path.exists():
        pytest.skip("the recordings of speakers that no network has heard are not there")
    labelled, pieces = prepare(path, "gender", "speaker", False, "cae-64", tmp_path / "frames.parquet")
    assert summary([trial(labelled, pieces, seed) for seed in range(10)])["value"]["contained"] >= 8
