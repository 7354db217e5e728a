"""The label-efficiency experiment: its parts, and the curves of the study on a coarse grid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("matplotlib", reason="the plot extra is not installed")

from sklearn.metrics import f1_score

from benchmarks.label_efficiency import speakers as speakers_module
from benchmarks.label_efficiency.__main__ import main
from benchmarks.label_efficiency.report import spans
from benchmarks.label_efficiency.speakers import divide
from benchmarks.label_efficiency.trials import (
    CLASSIFIERS,
    Curve,
    FeatureSet,
    Items,
    Trial,
    TrialLog,
    Trials,
    random_of_class,
    weighted_f1,
)
from benchmarks.sources.recordings import CLASSES, Recording, read_recordings

CLASSES_OF = np.repeat(np.arange(3, dtype=np.int8), [50, 30, 20])


def clusters(seed: int, per_class: int = 12) -> Items:
    """Three classes of well separated points."""
    labels = np.repeat(np.arange(3, dtype=np.int8), per_class)
    features = (labels[:, None] * 10 + np.random.default_rng(seed).normal(size=(len(labels), 4))).astype(np.float32)
    return Items(features, labels)


def trials(sets: tuple[FeatureSet, ...], path: Path, *kinds: str, percents: tuple[int, ...] = (50, 100)) -> Trials:
    return Trials(sets, kinds, percents, (0, 1), TrialLog(path, sets))


@pytest.fixture
def sets() -> tuple[FeatureSet, FeatureSet]:
    return FeatureSet("a", clusters(0), clusters(1)), FeatureSet("b", clusters(2, 24), clusters(3, 24))


class TestScores:
    @pytest.mark.parametrize("seed", range(2))
    def test_weighted_f1_is_scikit_learns(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        truth = random.choice(3, 200, p=[0.6, 0.3, 0.1]).astype(np.int8)
        predictions = random.choice(3, 200, p=[0.1, 0.1, 0.8]).astype(np.int8)
        assert weighted_f1(truth, predictions) == pytest.approx(f1_score(truth, predictions, average="weighted"))

    def test_curves(self) -> None:
        curve = Curve((50, 100), np.array([[0.1, 0.5], [0.2, 0.5], [0.3, 0.5]]))
        assert curve.mean.tolist() == pytest.approx([0.2, 0.5])
        assert curve.band.tolist() == pytest.approx([4.302653 * 0.1 / 3**0.5, 0])  # t of 97.5 % with 2 degrees of freedom
        assert curve.ahead(np.array([0.1, 0.6])) == [50]

    @pytest.mark.parametrize(
        ("percents", "text"), [([], "nowhere"), ([8], "8 %"), ([2, 4, 6, 10, 12, 20], "2-6, 10-12, 20 %")]
    )
    def test_spans(self, percents: list[int], text: str) -> None:
        assert spans(percents, 2) == text


def test_random_shares_are_nested_and_follow_the_seed() -> None:
    small, large = (set(random_of_class(CLASSES_OF, percent, 3).tolist()) for percent in (20, 40))
    assert small < large
    assert small != set(random_of_class(CLASSES_OF, 20, 4).tolist())
    assert np.bincount(CLASSES_OF[sorted(small)]).tolist() == [10, 6, 4]


class TestTrials:
    def test_every_classifier_separates_clusters(self, tmp_path: Path, sets: tuple[FeatureSet, ...]) -> None:
        made = trials(sets[:1], tmp_path / "log", *CLASSIFIERS, percents=(100,))
        made.run()
        assert min(made.curves(kind)["a"].at(100) for kind in CLASSIFIERS) > 0.9
        mean, low, high = made.chance(sets[0], draws=200)
        assert low < mean < high
        assert mean == pytest.approx(1 / 3, abs=0.03)

    def test_goes_on_from_what_is_stored(self, tmp_path: Path, sets: tuple[FeatureSet, ...]) -> None:
        path = tmp_path / "log"
        first = trials(sets, path, "decision tree")
        first.run()
        whole = path.read_text()
        path.write_text(whole[: len(whole) * 2 // 3])  # killed in the middle of a line

        made: list[Trial] = []
        again = trials(sets, path, "decision tree")
        again.run(lambda left: made.extend(left) or left)
        assert 0 < len(made) < len(first.log.done) == 8
        assert path.read_text() == whole
        assert all(np.array_equal(first.log.done[trial], again.log.done[trial]) for trial in first.log.done)

    def test_keeps_only_trials_of_the_same_features(self, tmp_path: Path, sets: tuple[FeatureSet, ...]) -> None:
        trials(sets, tmp_path / "log", "kNN", percents=(100,)).run()
        changed = (sets[0], FeatureSet("b", clusters(7), clusters(8)))
        assert {trial.features for trial in TrialLog(tmp_path / "log", changed).done} == {"a"}


class TestDivision:
    @pytest.fixture
    def recordings(self) -> list[Recording]:
        return [Recording(f"{voice}/{k}", str(voice), voice % 3) for voice in range(30) for k in range(2)]

    def test_parts_share_no_speaker(self, recordings: list[Recording]) -> None:
        parts = divide(recordings, test=9, labelled=6, first=["0", "1"])
        voices = [{recording.speaker for recording in part} for part in (parts.test, parts.labelled, parts.unlabelled)]
        assert [len(part) for part in voices] == [9, 6, 15]
        assert len(set.union(*voices)) == 30
        assert {"0", "1"} <= {recording.speaker for recording in parts.test}
        assert all(np.bincount([recording.label for recording in parts.test]) == 6)

    def test_classes(self, tmp_path: Path) -> None:
        rows = ["file,speaker,gender,age", "a,1,m,15", "b,2,m,16", "c,3,f,40"]
        (tmp_path / "utterances.csv").write_text("\n".join(rows))
        assert [CLASSES[recording.label] for recording in read_recordings(tmp_path)] == ["child", "man", "woman"]


class TestSpeakers:
    """Recordings, through vectors, to a page."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return self.recorded(tmp_path / "data", range(30))

    @pytest.fixture
    def unheard(self, tmp_path: Path) -> Path:
        return self.recorded(tmp_path / "unheard", range(30, 39))

    def recorded(self, folder: Path, voices: range) -> Path:
        folder.mkdir()
        random = np.random.default_rng(voices.start)
        rows = ["file,speaker,gender,age"]
        for voice in voices:
            for k in range(2):
                samples = 0.1 * random.normal(size=20_000 if k else 3000)  # shorter than a window, too
                soundfile.write(folder / f"{voice}-{k}.wav", samples, 16_000)
                rows.append(f"{voice}-{k}.wav,{voice},{'mf'[voice % 2]},{10 if voice % 3 else 30}")
        (folder / "utterances.csv").write_text("\n".join(rows))
        return folder

    def test_page(self, folder: Path, unheard: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Loudness:
            name, key, origin = "hand-made", "loudness", ""

            def __call__(self, path: Path) -> np.ndarray:
                return np.array([np.abs(soundfile.read(path)[0]).mean()], np.float32)

        monkeypatch.setattr(speakers_module, "HandMade", Loudness)
        monkeypatch.setattr(speakers_module, "TEST_SPEAKERS", 9)
        monkeypatch.setattr(speakers_module, "LABELLED_SPEAKERS", 12)
        places = {"--data": folder, "--unheard": unheard, "--out": folder / "out", "--work": folder / "work"}
        arguments = ["speakers", *(word for name, place in places.items() for word in (name, str(place)))]
        arguments += ["--step", "50", "--seeds", "2", "--classifiers", "kNN", "--linear", "3"]
        main([*arguments, "--models", f"{tiny_model}:functionals", f"{tiny_model}:codes"])
        page = (folder / "out" / "label_efficiency_speakers.md").read_text()
        assert "test 18 of 9 speakers" in page
        content = json.loads((folder / "out" / "label_efficiency_speakers.json").read_text())
        (view,) = content["views"]
        assert len(view["scores"]["kNN"]) == 4
        assert set(view["test_items"].values()) == {18}

    def test_table_of_the_unlabelled(self, folder: Path) -> None:
        main(["unlabelled", "--data", str(folder), "--out", str(folder / "table.csv")])
        listed = {line.split(",")[0] for line in (folder / "table.csv").read_text().splitlines()[1:]}
        parts = speakers_module.division(folder)
        assert listed == {recording.file for recording in parts.unlabelled}
        assert not listed & {recording.file for recording in (*parts.test, *parts.labelled)}
