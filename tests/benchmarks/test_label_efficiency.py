"""The label-efficiency experiment: its parts, and a run on a coarse grid that goes on from what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("matplotlib", reason="the plot extra is not installed")
pytest.importorskip("torch", reason="the export extra is not installed")

from benchmarks import label_efficiency as module
from benchmarks.conftest import Loudness
from benchmarks.label_efficiency import (
    CLASSIFIERS,
    FeatureSet,
    band_of,
    chance,
    divide,
    main,
    random_of_class,
    scores_of,
    spans,
)
from benchmarks.sources import Recording


@pytest.mark.parametrize(("chosen", "text"), [([], "nowhere"), ([8], "8 %"), ([2, 4, 6, 10, 12, 20], "2-6, 10-12, 20 %")])
def test_spans(chosen: list[int], text: str) -> None:
    percents = range(2, 21, 2)
    assert spans(percents, [percent in chosen for percent in percents]) == text


def test_the_band_is_students() -> None:
    scores = np.array([[0.1, 0.5], [0.2, 0.5], [0.3, 0.5]])
    assert band_of(scores) == pytest.approx([4.302653 * 0.1 / 3**0.5, 0])  # t of 97.5 % with 2 degrees of freedom
    assert band_of(scores[:1]).tolist() == [0, 0]


def test_random_shares_are_nested_and_follow_the_seed() -> None:
    labels = np.repeat(np.arange(3, dtype=np.int8), [50, 30, 20])
    small, large = (set(random_of_class(labels, percent, 3).tolist()) for percent in (20, 40))
    assert small < large
    assert small != set(random_of_class(labels, 20, 4).tolist())
    assert np.bincount(labels[sorted(small)]).tolist() == [10, 6, 4]


def test_every_classifier_separates_clusters() -> None:
    labels = np.repeat(np.arange(3, dtype=np.int8), 12)
    features, asked = (labels[:, None] * 10 + np.random.default_rng(seed).normal(size=(36, 4)) for seed in range(2))
    given = FeatureSet(features.astype(np.float32), labels, asked.astype(np.float32), labels)
    for kind in CLASSIFIERS:
        found = scores_of(kind, given, (50, 100), 2)
        assert found.shape == (2, 2)
        assert found[:, 1].min() > 0.9
    mean, low, high = chance(labels)
    assert low < mean < high
    assert mean == pytest.approx(1 / 3, abs=0.03)


def test_parts_share_no_speaker_and_have_the_classes_in_proportion() -> None:
    recordings = [Recording(f"{k}", f"{k // 2}", 0 if k < 120 else 1 + k // 2 % 2) for k in range(250)]
    parts = divide(recordings, ["0", "100"])
    voices = {name: {recording.speaker for recording in part} for name, part in parts.items()}
    assert sum(map(len, parts.values())) == 250
    assert sum(map(len, voices.values())) == 125
    assert {name: len(names) for name, names in voices.items()} == {"test": 40, "labelled": 25, "unlabelled": 60}
    assert {"0", "100"} <= voices["test"]


def test_run(corpus: Path, unheard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("TEST_SPEAKERS", 6), ("LABELLED_SPEAKERS", 12)):
        monkeypatch.setattr(module, name, count)
    monkeypatch.setattr(module, "HandMade", Loudness)
    words = ["--data", str(corpus), "--unheard", str(unheard), "--models", "cae-64:codes"]
    words += ["--opensmile", "--linear", "2", "--classifiers", "decision tree", "SVM", "--step", "50", "--seeds", "2"]
    words += ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]
    main(words)
    page = tmp_path / "out" / "label_efficiency_speakers.md"
    first = page.read_text()
    assert "labelled 24 of 12 speakers (8 child / 8 man / 8 woman); unlabelled 24 of 12" in first
    stated = json.loads(page.with_suffix(".json").read_text())
    assert {name: np.shape(rows) for name, rows in stated["scores"]["SVM"].items()} == dict.fromkeys(
        ("hand-made (pyAudioAnalysis)", "cae-64 (codes)", "PCA-2 (codes)"), (2, 2)
    )
    assert len(list((tmp_path / "out").glob("*.png"))) == 1
    monkeypatch.setitem(CLASSIFIERS, "SVM", None)  # what is kept is not computed again
    main(words)
    assert page.read_text() == first
