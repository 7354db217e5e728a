"""The feature-quality benchmark: its parts, and a small run of it all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("matplotlib", reason="the plot extra is not installed")
pytest.importorskip("torch", reason="the export extra is not installed")

from sklearn.metrics import balanced_accuracy_score, f1_score

import edgevoice
from benchmarks.conftest import RATE, Loudness, voice
from benchmarks.feature_quality import experiment
from benchmarks.feature_quality.degradations import DEGRADATIONS, HEADROOM, movements
from benchmarks.feature_quality.experiment import ANOTHER
from benchmarks.feature_quality.probes import TASKS, confusions, judge, macro_f1, score, uar
from benchmarks.feature_quality.report import write
from benchmarks.linearcode import LinearCode, LinearFunctionals, Spectrograms
from benchmarks.sources import Recording
from edgevoice.features import functionals as compute_functionals
from edgevoice.modelfolder import find_model


class TestScores:
    @pytest.mark.parametrize("seed", range(2))
    def test_scores_are_scikit_learns(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        truth, predictions = (random.choice(3, 200, p=[0.6, 0.3, 0.1]).astype(np.int8) for _ in range(2))
        confusion = confusions(truth, predictions, np.zeros(200, int), 3)[0]
        assert uar(confusion) == pytest.approx(balanced_accuracy_score(truth, predictions))
        assert macro_f1(confusion) == pytest.approx(f1_score(truth, predictions, average="macro"))

    def test_error_is_of_speakers_not_of_recordings(self) -> None:
        truth = np.tile([0, 1], 200).astype(np.int8)
        right = np.repeat(np.random.default_rng(0).random(20) < 0.5, 20)  # all recordings of a speaker, or none
        predictions = np.where(right, truth, 1 - truth).astype(np.int8)
        stated = score(truth, predictions, [f"{k // 20}" for k in range(400)], uar)
        assert stated.mean == pytest.approx(right.mean())
        assert stated.error == pytest.approx(np.sqrt(0.25 / 20), rel=0.1)
        assert stated.ahead(stated) == (0, 0)


class TestProbes:
    def test_a_speaker_of_both_is_refused(self) -> None:
        recordings, vectors = [Recording("", "a", 0), Recording("", "b", 1)], np.zeros((2, 3), np.float32)
        with pytest.raises(ValueError, match="speaker b"):
            judge(TASKS[0], recordings, vectors, recordings[1:], vectors[1:])

    def test_a_class_that_shows_is_found(self) -> None:
        recordings = [Recording(f"{k}", f"{k // 2}", k // 2 % 3) for k in range(120)]
        labels = np.array([recording.label for recording in recordings])
        features = (np.eye(3)[labels] + 0.05 * np.random.default_rng(0).normal(size=(120, 3))).astype(np.float32)
        features = np.concatenate([features, np.ones((120, 1), np.float32)], axis=1)  # a dimension that does not vary
        for task in TASKS:
            asked = task.labels(recordings[90:])
            predictions, found = judge(task, recordings[:90], features[:90], recordings[90:], features[90:])
            assert predictions.tolist() == asked[asked >= 0].tolist()
            assert found.mean == 1


class TestLinearCode:
    def test_error_is_what_projection_leaves(self) -> None:
        random = np.random.default_rng(0)
        strengths = np.geomspace(1, 0.01, 12)
        spectrograms = (random.normal(size=(400, 12)) * strengths).reshape(400, 1, 3, 4).astype(np.float32)
        code = LinearCode.fit(spectrograms.copy(), 6)
        assert code.components @ code.components.T == pytest.approx(np.eye(6), abs=1e-5)
        assert code.describe(spectrograms).shape == (400, 9)
        assert code.describe(spectrograms)[:, 6:].mean() == pytest.approx(np.square(strengths[6:]).sum() / 12, rel=0.1)
        assert code.describe(spectrograms)[:, :2] == pytest.approx(code.of(2).describe(spectrograms)[:, :2], abs=1e-6)
        assert code.digest() != code.of(2).digest()

    def test_vector_is_made_as_a_model_makes_it(self, tmp_path: Path) -> None:
        """Of the same spectrograms, far below a step of 16 bits too; the code's functionals first."""
        quiet = tmp_path / "quiet.flac"
        soundfile.write(quiet, 1e-4 * voice(0, 140), RATE, subtype="PCM_24")
        extractor = edgevoice.load("cae-256", threads=1)
        shape = extractor.config.spectrogram.bands.count, extractor.spectrogram(np.zeros(8000, np.float32)).shape[-1]
        random = np.random.default_rng(0)
        components = np.linalg.qr(random.normal(size=(shape[0] * shape[1], 2)))[0].T.astype(np.float32)
        code = LinearCode(np.zeros(shape, np.float32), components)
        source = LinearFunctionals(code, extractor.config)
        vector, seen = source(quiet), Spectrograms(extractor.config)(quiet)
        session = onnxruntime.InferenceSession(extractor.folder.path / "encoder.onnx")
        bottleneck = session.run(None, {session.get_inputs()[0].name: seen})[0]
        assert bottleneck == pytest.approx(extractor.extract(quiet).bottleneck, abs=1e-4)
        assert vector.shape == (4 * (2 + 128),)
        values = code.describe(seen)
        assert vector[:8] == pytest.approx(compute_functionals(values[:, :2]))
        assert vector[8:] == pytest.approx(compute_functionals(values[:, 2:]))


class TestDegradations:
    @pytest.mark.parametrize("name", [name for name in DEGRADATIONS if name != "start 100 ms later"])
    def test_nothing_moves_in_time(self, name: str) -> None:
        samples = HEADROOM * voice(0, 140, 2.0)
        changed = DEGRADATIONS[name](samples, RATE)
        assert len(changed) == len(samples)
        likeness = np.correlate(changed, samples[800:-800], "valid")
        assert abs(int(likeness.argmax()) - 800) <= 1
        assert np.abs(changed).max() <= 1

    def test_each_does_what_it_says(self) -> None:
        samples = HEADROOM * voice(0, 140, 2.0)
        changed = {name: degrade(samples, RATE) for name, degrade in DEGRADATIONS.items()}
        assert changed["gain +12 dB"] == pytest.approx(samples * 3.981, rel=1e-3)
        assert changed["gain -12 dB"] == pytest.approx(samples / 3.981, rel=1e-3)
        noise = np.square(changed["noise, 20 dB SNR"] - samples).mean()
        assert 10 * np.log10(np.square(samples).mean() / noise) == pytest.approx(20, abs=0.2)
        assert changed["start 100 ms later"].tolist() == samples[1600:].tolist()
        power = np.square(np.abs(np.fft.rfft(changed["telephone band"])))
        hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
        assert power[(hertz < 150) | (hertz > 4000)].sum() < 0.01 * power.sum()


class TestStability:
    def test_relative_to_the_standardised_vector(self) -> None:
        corpus = np.array([[-1.0, 10, 3], [1, 30, 3]])  # the last does not vary
        clean = np.array([[1.0, 10, 3], [3, 20, 3]])  # standardised (1, -1), (3, 0)
        moved = movements(corpus, clean, {"x": clean + np.array([0, 10, 1])})["x"]
        assert moved["mean"] == pytest.approx((1 / np.sqrt(2) + 1 / 3) / 2)
        assert moved["error"] == pytest.approx((1 / np.sqrt(2) - 1 / 3) / 2)


def test_run(
    corpus: Path, unheard: Path, make_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "OpenSmile", lambda _: Loudness())
    monkeypatch.setattr(experiment, "HandMade", Loudness)
    monkeypatch.setattr(experiment, "LINEAR_UNITS", (2, 4))
    monkeypatch.setattr(experiment, "LINEAR_WINDOWS", 60)
    monkeypatch.setattr(experiment, "DEGRADED", 4)
    models = [find_model(str(make_model(name="tiny"))), find_model("lamprou-64")]
    found = experiment.run(corpus, unheard, models, tmp_path / "work", lambda items, _: items)
    page = write(found, tmp_path / "out").read_text()
    stated = json.loads((tmp_path / "out" / "feature_quality.json").read_text())
    assert stated["measured_on"] == {"recordings": 24, "speakers": 12}
    assert list(stated["probes"]) == [task.name for task in TASKS]
    for kind in ("movement", "movement_clipped"):
        assert set(stated[kind]["PCA-2"]) == {*DEGRADATIONS, ANOTHER}
    assert {part: list(sets) for part, sets in stated["movement_of_parts"].items()} == {
        part: ["tiny", "lamprou-64", "PCA-2", "PCA-4"] for part in experiment.PARTS
    }
    assert set(stated["reconstruction"]) == {"tiny", "PCA-2", "PCA-4", "mean of each band"}
    better, worse = (stated["reconstruction"][name]["running"]["mean"] for name in ("PCA-4", "PCA-2"))
    assert 0 < better < worse
    assert stated["not_comparable"] == ["lamprou-64"]
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| PCA-2 |")]
    probes, _, moved, *_ = ([float(cell.split(" ± ")[0]) for cell in row if re.match(r"[-+\d.]+ ± ", cell)] for row in rows)
    assert probes == pytest.approx([task["scores"]["PCA-2"]["mean"] for task in stated["probes"].values()], abs=1e-3)
    assert moved == pytest.approx([found["mean"] for found in stated["movement"]["PCA-2"].values()], rel=1e-3, abs=1e-3)
