"""DisVoice's interface, on a small model in its network's place."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.compat.disvoice import RepLearning

UNITS, BANDS = 8, 128


@pytest.fixture(scope="module")
def models(make_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    model = make_model(batch_statistics=True, spectrogram={"logarithm": {"floor": 1e-30}})
    (folder / "disvoice-cae-256").symlink_to(model, target_is_directory=True)
    return folder


@pytest.fixture
def extractor(models: Path, monkeypatch: pytest.MonkeyPatch) -> RepLearning:
    monkeypatch.setenv("EDGEVOICE_MODELS", str(models))
    return RepLearning("CAE")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings of 3 and 2 windows."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "b.wav", noise, 16000)
    soundfile.write(tmp_path / "a.wav", noise[:12000], 16000)
    return tmp_path


def test_arrays(extractor: RepLearning, folder: Path) -> None:
    path = str(folder / "b.wav")
    static, dynamic = extractor.extract_features_file(path), extractor.extract_features_file(path, static=False)
    assert (static.dtype, static.shape) == (np.float32, (1, 4 * (UNITS + BANDS)))
    assert (dynamic.dtype, dynamic.shape) == (np.float32, (3, UNITS + BANDS))
    np.testing.assert_allclose(static[0, :UNITS], dynamic[:, :UNITS].mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(extractor.extract_features_file(path, fmt="txt"), static)
    np.testing.assert_array_equal(extractor.extract_features_file(folder / "b.wav", True, False, "npy", ""), static)


def test_they_are_what_the_runtime_gives_above_its_floor(extractor: RepLearning, folder: Path, models: Path) -> None:
    config = edgevoice.ModelFolder.open(models / "disvoice-cae-256").config
    runtime = edgevoice.load(edgevoice.ModelFolder(models / "disvoice-cae-256", replace(config, batch_statistics=False)))
    expected = runtime.extract(folder / "b.wav", level="utterance").values
    found = extractor.extract_features_file(folder / "b.wav", static=False)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_tables_have_disvoices_names(extractor: RepLearning, folder: Path) -> None:
    pytest.importorskip("pandas")
    for fmt in ("dataframe", "csv"):
        static = extractor.extract_features_file(folder / "b.wav", fmt=fmt)
        dynamic = extractor.extract_features_file(folder / "b.wav", static=False, fmt=fmt)
        assert list(static.columns) == extractor.head_st
        assert list(dynamic.columns) == extractor.head_dyn.tolist()
        assert (dynamic.dtypes == np.float32).all()
    assert extractor.head_st[:: UNITS + 1][:3] == ["mean_bottleneck_0", "std_bottleneck_1", "skewness_bottleneck_2"]
    assert extractor.head_st[4 * UNITS] == "mean_error_0"
    assert extractor.head_st[-1] == "kurtosis_error_127"
    assert extractor.head_dyn[[0, UNITS, -1]].tolist() == ["bottleneck_0", "error_0", "error_127"]
    assert (extractor.size_bottleneck, extractor.statistics) == (UNITS, ["mean", "std", "skewness", "kurtosis"])


def test_a_folder_in_the_order_of_names(extractor: RepLearning, folder: Path) -> None:
    pytest.importorskip("pandas")
    singly = [extractor.extract_features_file(folder / name, static=False) for name in ("a.wav", "b.wav")]
    # DisVoice wants a slash at the end of the path; here it does not matter.
    for path in (folder, f"{folder}/"):
        table = extractor.extract_features_path(path, static=False, fmt="dataframe")
        assert table.columns[-1] == "id"
        assert table["id"].tolist() == ["a.wav"] * 2 + ["b.wav"] * 3
        np.testing.assert_array_equal(table[extractor.head_dyn].to_numpy(), np.concatenate(singly))
    static = extractor.extract_features_path(folder, fmt="csv")
    assert static["id"].tolist() == ["a.wav", "b.wav"]
    np.testing.assert_array_equal(extractor.extract_features_path(folder), static[extractor.head_st].to_numpy())


def write(path: Path, samples: np.ndarray, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, 16000, subtype=subtype)
    return path


def test_windows_with_digital_silence_are_dropped_with_a_warning(extractor: RepLearning, tmp_path: Path) -> None:
    half = np.random.default_rng(0).integers(-9000, 9000, 20000, dtype=np.int16)
    samples = np.concatenate([half, np.zeros(600, np.int16), -half])  # the mean is 0, so that zeros stay zeros
    path = write(tmp_path / "pause.wav", samples)
    with pytest.warns(UserWarning, match=r"pause\.wav: dropped 2 of 9 windows, which hold digital silence") as caught:
        dynamic = extractor.extract_features_file(path, static=False)
    assert caught[0].filename == __file__
    assert dynamic.shape == (7, UNITS + BANDS)
    kept = [0, 1, 2, 3, 6, 7, 8]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = extractor.extract_features_file(write(tmp_path / "noise.wav", _filled(samples)), static=False)
    np.testing.assert_allclose(dynamic, whole[kept], atol=1e-4)


def _filled(samples: np.ndarray) -> np.ndarray:
    """The pause filled with noise, the mean and the peak left as they are."""
    noise = np.random.default_rng(1).integers(-100, 100, 300, dtype=np.int16)
    result = samples.copy()
    result[20000:20600] = np.concatenate([noise, -noise])
    return result


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(16000), "every sample has the same value"),
        (np.full(16000, 0.25), "every sample has the same value"),
        (np.append(np.zeros(24000), [0.5, -0.5]), "every window holds digital silence"),
    ],
)
def test_silence_throughout_is_an_error(extractor: RepLearning, tmp_path: Path, samples: np.ndarray, message: str) -> None:
    with pytest.raises(edgevoice.SamplesError, match=message):
        extractor.extract_features_file(write(tmp_path / "silence.wav", samples))


def test_functionals_of_one_window_are_finite(extractor: RepLearning, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    static = extractor.extract_features_file(write(tmp_path / "one.wav", noise))
    assert np.isfinite(static).all()
    with pytest.raises(edgevoice.AudioTooShortError, match="less than one window"):
        extractor.extract_features_file(write(tmp_path / "short.wav", noise[:7999]))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda _: None, edgevoice.AudioFileNotFoundError),
        (lambda path: path.write_text("no audio"), edgevoice.AudioFormatError),
        (lambda path: write(path, np.full(9000, np.nan), "FLOAT"), edgevoice.SamplesError),
        (lambda path: write(path, np.zeros(0)), edgevoice.AudioTooShortError),
    ],
)
def test_bad_files(extractor: RepLearning, tmp_path: Path, make: Callable, error: type[Exception]) -> None:
    make(tmp_path / "bad.wav")
    with pytest.raises(error, match=r"bad\.wav"):
        extractor.extract_features_file(tmp_path / "bad.wav")


def test_bad_folders(extractor: RepLearning, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "gone", folder / "a.wav"):
        with pytest.raises(edgevoice.AudioFileNotFoundError, match=path.name):
            extractor.extract_features_path(path)


@pytest.mark.parametrize("fmt", ["torch", "kaldi", "xlsx"])
def test_other_formats_are_refused(extractor: RepLearning, folder: Path, fmt: str) -> None:
    for extract, path in (
        (extractor.extract_features_file, folder / "a.wav"),
        (extractor.extract_features_path, folder),
    ):
        with pytest.raises(edgevoice.ArgumentError, match=f"'{fmt}': is not supported; expected one of npy, txt, dataframe"):
            extract(path, static=False, fmt=fmt)


def test_unknown_and_missing_models(monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    monkeypatch.setenv("EDGEVOICE_MODELS", str(models))
    monkeypatch.setattr("edgevoice.modelfolder.user_models", lambda: models / "none")
    with pytest.raises(edgevoice.ArgumentError, match="expected CAE or RAE"):
        RepLearning("cae")
    with pytest.raises(edgevoice.ModelNotFoundError, match="edgevoice-export import-disvoice"):
        RepLearning("RAE")


def test_missing_packages(extractor: RepLearning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    write(tmp_path / "16.wav", noise)
    soundfile.write(tmp_path / "8.wav", noise, 8000)
    for name in ("pandas", "scipy.signal", "matplotlib.pyplot"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(edgevoice.MissingPackageError, match=r"edgevoice\[disvoice\]"):
        extractor.extract_features_file(tmp_path / "16.wav", fmt="dataframe")
    with pytest.raises(edgevoice.MissingPackageError, match=r"edgevoice\[disvoice\]"):
        extractor.extract_features_file(tmp_path / "8.wav")
    with pytest.raises(edgevoice.MissingPackageError, match=r"edgevoice\[plot\]"):
        extractor.extract_features_file(tmp_path / "16.wav", plots=True)


def test_plots(extractor: RepLearning, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))
    plain = extractor.extract_features_file(folder / "b.wav")
    np.testing.assert_array_equal(extractor.extract_features_file(folder / "b.wav", plots=True), plain)
    assert len(shown) == 2
    before, after = (axes.images[0].get_array() for axes in plt.figure(shown[0]).axes)
    assert before.shape == after.shape == (BANDS, 2 * 126)
    plt.close("all")
