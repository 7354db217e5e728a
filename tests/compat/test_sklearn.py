"""The transformer of scikit-learn, in scikit-learn's own hands."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

import edgevoice
from edgevoice.compat import sklearn
from edgevoice.compat.sklearn import SpeechFeatures
from edgevoice.extraction import Extraction

LABELS = np.arange(20) % 2


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Twenty recordings, loud hum or hiss."""
    rng, paths = np.random.default_rng(0), []
    for k in range(20):
        time = np.arange(12_000) / 16_000
        voice = np.sin(2 * np.pi * (150 + k) * time) if k % 2 else rng.standard_normal(12_000)
        paths.append(str(tmp_path / f"{k:02}.wav"))
        soundfile.write(paths[-1], 0.2 * voice / np.abs(voice).max(), 16_000)
    return paths


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known from another test."""
    monkeypatch.setattr(sklearn, "_kept", {})


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are computed in this process."""
    seen: list[str] = []
    features = Extraction.features

    def counted(extraction: Extraction) -> edgevoice.Features:
        found = features(extraction)
        seen.append(found.source)
        return found

    monkeypatch.setattr(Extraction, "features", counted)
    return seen


def test_rows_are_those_of_extract(paths: list[str], tiny_model: Path) -> None:
    extractor = edgevoice.load(tiny_model)
    expected = np.array([extractor.extract(path).functionals() for path in paths])
    transformer = SpeechFeatures(tiny_model, jobs=2)
    transformer.model = edgevoice.ModelFolder.open(tiny_model)
    for samples in (paths, np.array(paths), np.array(paths)[:, None], [Path(path) for path in paths]):
        found = transformer.fit_transform(samples)
        assert found.dtype == np.float32
        assert found.tobytes() == expected.tobytes()
    assert transformer.get_feature_names_out().tolist() == extractor.layout.functional_names
    for none in ([], np.array([]), np.empty((0, 1), object)):
        assert transformer.transform(none).shape == (0, expected.shape[1])
    segment = transformer.transform([(paths[0], 0.1, 0.7), (paths[1], 0, None)])
    assert segment[0].tobytes() == extractor.extract(paths[0], start=0.1, end=0.7).functionals().tobytes()
    assert segment[1].tobytes() == expected[1].tobytes()


def test_tables_of_pandas_go_in_and_come_out(paths: list[str], tiny_model: Path) -> None:
    pd = pytest.importorskip("pandas")
    names = [Path(path).name for path in paths]
    table = pd.DataFrame({"file": names, "start": 0.0, "end": np.nan, "label": LABELS}).sample(frac=1, random_state=0)
    transformer = SpeechFeatures(tiny_model, root=Path(paths[0]).parent).set_output(transform="pandas")
    found = transformer.fit_transform(table)
    assert list(found.columns) == transformer.get_feature_names_out().tolist()
    plain = SpeechFeatures(tiny_model).transform([str(Path(paths[0]).parent / name) for name in table["file"]])
    np.testing.assert_array_equal(found.to_numpy(), plain)


def test_frames_and_series_of_all_kinds(paths: list[str], tiny_model: Path) -> None:
    pd, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    audformat = pytest.importorskip("audformat")
    paths = paths[:4]
    transformer = SpeechFeatures(tiny_model)
    expected = transformer.transform(paths)
    shuffled = [3, 1, 0, 2]
    for samples in (
        pd.Series(paths, name="path"),
        pd.Series(paths, index=shuffled),
        pd.DataFrame({"wav": paths}, index=shuffled),
        pd.DataFrame({"label": [0, 1, 0, 1]}, index=audformat.filewise_index(paths)),
        audformat.filewise_index(paths),
        polars.DataFrame({"file": paths, "label": [0, 1, 0, 1]}),
        polars.DataFrame({"wav": paths}),
        polars.Series(paths),
    ):
        assert transformer.fit_transform(samples).tobytes() == expected.tobytes()
    columns = ColumnTransformer([("speech", transformer, ["wav"]), ("rest", "passthrough", ["age"])])
    found = columns.fit_transform(pd.DataFrame({"wav": paths, "age": 7}))
    np.testing.assert_array_equal(found[:, :-1], expected)


def test_two_segments_of_a_recording_are_two_vectors(paths: list[str], tiny_model: Path) -> None:
    pd = pytest.importorskip("pandas")
    path, extractor = paths[0], edgevoice.load(tiny_model)
    expected = [extractor.extract(path, start=start, end=start + 0.6).functionals() for start in (0.0, 0.1)]
    for names in (("file", "start", "end"), (" file", "Start", "end\xa0"), ("FILE", "START", "END")):
        frame = pd.DataFrame([(path, 0.0, 0.6), (path, 0.1, 0.7)], columns=names)
        assert SpeechFeatures(tiny_model).transform(frame).tobytes() == np.array(expected).tobytes()
    with pytest.raises(edgevoice.ArgumentError, match="looks like a place"):
        SpeechFeatures(tiny_model).transform(frame.rename(columns={"START": "onset"}))
    with pytest.raises(edgevoice.ArgumentError, match="a folder is no sample"):
        SpeechFeatures(tiny_model).transform([str(Path(path).parent)])
    with pytest.raises(edgevoice.ArgumentError, match="'each'"):
        SpeechFeatures(tiny_model, channel="each").transform([path])


def test_a_search_computes_each_recording_once(paths: list[str], tiny_model: Path, extracted: list[str]) -> None:
    pipeline = make_pipeline(SpeechFeatures(tiny_model), StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.01, 0.1, 1.0]}, cv=3).fit(paths, LABELS)
    assert search.best_score_ > 0.9
    assert sorted(extracted) == paths
    SpeechFeatures(tiny_model, cache=Path(paths[0]).parent / "cache").fit_transform(paths)
    assert len(list(Path(paths[0]).parent.glob("cache/*.npy"))) == len(paths), "a folder has all"


def test_a_search_over_models_in_two_processes_shares_a_cache(
    paths: list[str], tiny_model: Path, make_model: Callable[..., Path], tmp_path: Path, extracted: list[str]
) -> None:
    other = make_model(name="other")
    cache = tmp_path / "cache"
    pipeline = make_pipeline(SpeechFeatures(cache=cache), StandardScaler(), LogisticRegression())
    grid = {"speechfeatures__model": [str(tiny_model), str(other)], "logisticregression__C": [0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(paths, LABELS)
    assert search.best_score_ > 0.9
    assert len(list(cache.glob("*.npy"))) == 20  # both models have the same networks, and so the same features
    assert extracted == [], "what the other processes computed is not computed again"
    soundfile.write(paths[3], np.random.default_rng(1).uniform(-0.1, 0.1, 12_000), 16_000)
    search.best_estimator_.predict(paths)
    assert extracted == [paths[3]], "a file that was changed is"


def test_copies(paths: list[str], tiny_model: Path) -> None:
    transformer = SpeechFeatures(tiny_model, hop=0.1, level="window")
    expected = transformer.fit_transform(paths)
    for other in (clone(transformer), pickle.loads(pickle.dumps(transformer))):
        assert other.get_params() == transformer.get_params()
        np.testing.assert_array_equal(other.transform(paths), expected)
    scores = cross_val_score(make_pipeline(transformer, LogisticRegression(max_iter=1000)), paths, LABELS, cv=2, n_jobs=2)
    assert scores.mean() > 0.9


def test_a_recording_that_fails_is_an_error(paths: list[str], tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    with pytest.raises(edgevoice.AudioFormatError, match="broken"):
        SpeechFeatures(tiny_model).transform([*paths, str(tmp_path / "broken.wav")])
    with pytest.raises(edgevoice.AudioFileNotFoundError):
        SpeechFeatures(tiny_model).transform(["gone.wav"])
    with pytest.raises(edgevoice.ArgumentError, match="X is str"):
        SpeechFeatures(tiny_model).fit(paths[0])
    with pytest.raises(edgevoice.ArgumentError, match="X is generator"):
        SpeechFeatures(tiny_model).fit_transform(path for path in paths)
    with pytest.raises(edgevoice.ModelNotFoundError):
        SpeechFeatures("none").fit(paths)
    for wrong in ({"model": 5}, {"hop": "x"}, {"level": "loud"}):
        with pytest.raises(edgevoice.ArgumentError):
            SpeechFeatures(**{"model": tiny_model, **wrong}).fit(paths)
    short = tmp_path / "short.wav"
    soundfile.write(short, np.full(100, 0.1), 16_000)
    assert np.isfinite(SpeechFeatures(tiny_model).transform([short])).all()
    with pytest.raises(edgevoice.AudioTooShortError):
        SpeechFeatures(tiny_model, pad=False).transform([short])


CHECKS = (
    "no_attributes_set_in_init parameters_default_constructible get_params_invariance set_params estimator_repr "
    "estimator_cloneable estimator_tags_renamed valid_tag_types mixin_order"
)


@pytest.mark.parametrize("check", CHECKS.split())
def test_scikit_learns_checks_that_ask_for_no_numbers(check: str) -> None:
    getattr(estimator_checks, f"check_{check}")("SpeechFeatures", SpeechFeatures())
