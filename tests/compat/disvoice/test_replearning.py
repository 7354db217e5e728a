"""DisVoice's interface, on a small model in its network's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.compat.disvoice import RepLearning
from edgevoice.compat.disvoice.__main__ import main

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
    with np.errstate(all="raise"):  # a program's own
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
    with pytest.warns(UserWarning, match=r"pause\.wav: dropped 2 of 9 windows, which hold digital silence"):
        dynamic = extractor.extract_features_file(write(tmp_path / "pause.wav", samples), static=False)
    assert dynamic.shape == (7, UNITS + BANDS)


def test_functionals_of_one_window_are_finite(extractor: RepLearning, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    assert np.isfinite(extractor.extract_features_file(write(tmp_path / "one.wav", noise))).all()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda _: None, edgevoice.AudioFileNotFoundError),
        (lambda path: path.write_text("no audio"), edgevoice.AudioFormatError),
        (lambda path: write(path, np.full(9000, np.nan), "FLOAT"), edgevoice.SamplesError),
        (lambda path: write(path, np.zeros(0)), edgevoice.AudioTooShortError),
        (lambda path: write(path, np.full(7999, 0.1)), edgevoice.AudioTooShortError),
        (lambda path: write(path, np.zeros(16000)), edgevoice.SamplesError),
        (lambda path: write(path, np.full(16000, 0.25)), edgevoice.SamplesError),
        (lambda path: write(path, np.append(np.zeros(24000), [0.5, -0.5])), edgevoice.SamplesError),
    ],
)
def test_bad_files(extractor: RepLearning, tmp_path: Path, make: Callable, error: type[Exception]) -> None:
    make(tmp_path / "bad.wav")
    with pytest.raises(error):
        extractor.extract_features_file(tmp_path / "bad.wav")


def test_bad_folders_and_formats(extractor: RepLearning, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "gone", folder / "a.wav"):
        with pytest.raises(edgevoice.AudioFileNotFoundError, match=path.name):
            extractor.extract_features_path(path)
    for options in ({"fmt": "xlsx"}, {"fmt": "kaldi"}, {"fmt": "kaldi", "static": True, "kaldi_file": "out"}):
        with pytest.raises(edgevoice.ArgumentError):
            extractor.extract_features_path(folder, **{"static": False, **options})


def test_kaldis_files_are_read_by_kaldiio_and_replaced(extractor: RepLearning, folder: Path, tmp_path: Path) -> None:
    kaldiio = pytest.importorskip("kaldiio")
    out = tmp_path.parent / f"{tmp_path.name}-kaldi" / "features"
    assert extractor.extract_features_path(folder, static=False, fmt="kaldi", kaldi_file=str(out)) is None
    found = kaldiio.load_scp(f"{out}.scp")
    assert list(found) == ["a.wav", "b.wav"]
    for name in found:
        np.testing.assert_array_equal(found[name], extractor.extract_features_file(folder / name, static=False))
    assert [name for name, _ in kaldiio.load_ark(f"{out}.ark")] == ["a.wav", "b.wav"]
    extractor.extract_features_file(folder / "a.wav", static=False, fmt="kaldi", kaldi_file=str(out))
    assert list(kaldiio.load_scp(f"{out}.scp")) == ["a.wav"]


class TestAEspeech:
    def test_what_goes_in_and_what_comes_out(self, extractor: RepLearning, folder: Path) -> None:
        speech, path = extractor.AEspeech, str(folder / "b.wav")
        spectrograms = np.asarray(speech.compute_spectrograms(path))
        assert spectrograms.shape == (3, 1, BANDS, 126)
        assert spectrograms.std() > 0.5, "logarithms of power, not standardised"
        standard = speech.standard(spectrograms)
        assert standard.dtype == np.float32
        np.testing.assert_allclose(speech.destandard(standard), spectrograms, rtol=1e-5)
        rebuilt, given = speech.compute_rec_spectrogram(path)
        np.testing.assert_allclose(given, standard, atol=1e-5)
        bottleneck, error = speech.compute_bottleneck_features(path), speech.compute_rec_error_features(path)
        np.testing.assert_array_equal(np.hstack([bottleneck, error]), extractor.extract_features_file(path, static=False))
        expected = np.square(given - speech.standard(rebuilt)).mean(axis=3)[:, 0]
        np.testing.assert_allclose(error, expected, rtol=1e-3, atol=1e-6)

    def test_tensors_where_they_are_asked_for(self, extractor: RepLearning, folder: Path) -> None:
        torch = pytest.importorskip("torch")
        for static in (True, False):
            found = extractor.extract_features_path(folder, static=static, fmt="torch")
            assert torch.equal(found, torch.from_numpy(extractor.extract_features_path(folder, static=static)))
        speech, path = extractor.AEspeech, folder / "a.wav"
        for compute in (speech.compute_bottleneck_features, speech.compute_rec_error_features):
            assert torch.equal(compute(path, return_numpy=False), torch.from_numpy(compute(path)))
        spectrograms = speech.compute_spectrograms(path)
        assert (spectrograms.size(), spectrograms.dtype) == ((2, 1, BANDS, 126), torch.float32)
        rebuilt, bottleneck = speech.AE.eval().forward(speech.standard(spectrograms))
        expected, _ = speech.compute_rec_spectrogram(path, return_numpy=False)
        torch.testing.assert_close(speech.destandard(rebuilt), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(bottleneck, speech.compute_bottleneck_features(path, return_numpy=False))
        assert torch.equal(speech.AE(speech.standard(spectrograms).requires_grad_())[1], bottleneck)
        assert all(isinstance(found, torch.Tensor) for found in speech.compute_rec_spectrogram(path, return_numpy=False))

    def test_a_folder(self, extractor: RepLearning, folder: Path) -> None:
        pytest.importorskip("pandas")
        speech = extractor.AEspeech
        dynamic = speech.compute_dynamic_features(folder)
        assert dynamic["wav_file"].tolist() == ["a.wav"] * 2 + ["b.wav"] * 3
        assert dynamic["frame"].tolist() == [0, 1, 0, 1, 2]
        assert (dynamic["bottleneck"].shape, dynamic["error"].shape) == ((5, UNITS), (5, BANDS))
        bottleneck, error, both = speech.compute_global_features(folder, stack_feat=True)
        names = list(bottleneck.columns)
        assert names[:2] == ["ID", "avg_bottleneck_0"]
        assert list(both.columns) == [*names, *error.columns[1:]]
        static = extractor.extract_features_path(folder)
        np.testing.assert_array_equal(both.drop(columns="ID").to_numpy(), static)
        (folder / "c.wav").write_bytes(b"no audio")
        with pytest.raises(edgevoice.AudioFormatError, match=r"c\.wav"):
            speech.compute_global_features(folder)


class TestScript:
    def run(self, *words: str) -> int:
        return main([*words, "CAE"])

    def test_each_format(self, extractor: RepLearning, folder: Path, tmp_path: Path) -> None:
        pd, torch, kaldiio = (pytest.importorskip(name) for name in ("pandas", "torch", "kaldiio"))
        out = tmp_path.parent / f"{tmp_path.name}-out"
        expected = extractor.extract_features_path(folder, static=False)
        for fmt in ("npy", "txt", "csv", "torch", "kaldi"):
            assert self.run(str(folder), str(out / fmt), "False", "false", fmt) == 0
        np.testing.assert_array_equal(np.load(out / "npy"), expected)
        np.testing.assert_allclose(np.loadtxt(out / "txt"), expected, rtol=1e-6)
        table = pd.read_csv(out / "csv")
        assert table["id"].tolist() == ["a.wav"] * 2 + ["b.wav"] * 3
        np.testing.assert_allclose(table.drop(columns="id").to_numpy(), expected, rtol=1e-6)
        np.testing.assert_array_equal(torch.load(out / "torch", weights_only=True).numpy(), expected)
        assert list(kaldiio.load_scp(str(out / "kaldi.scp"))) == ["a.wav", "b.wav"]

    def test_one_recording(self, extractor: RepLearning, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "one.npy").write_bytes(b"of an earlier run")
        assert self.run(str(folder / "a.wav"), str(tmp_path / "one.npy"), "true", "false", "npy") == 0
        np.testing.assert_array_equal(np.load(tmp_path / "one.npy"), extractor.extract_features_file(folder / "a.wav"))

    @pytest.mark.usefixtures("extractor")  # its models are found
    def test_errors_are_one_line(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(folder)
        for words, code, message in (
            ("a.wav new.npy maybe false npy", 2, "usage: "),
            ("a.wav new.npy true false xls", 2, "usage: "),
            ("gone.wav new.npy true false npy", 1, "gone.wav"),
            ("a.wav new true false kaldi", 2, "dynamic"),
            ("a.wav", 2, "usage: "),
        ):
            assert self.run(*words.split()) == code
            errors = capsys.readouterr().err
            assert errors.count("\n") == 1
            assert message in errors
        assert not Path("new.npy").exists()


def test_unknown_and_missing_models(monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    monkeypatch.setenv("EDGEVOICE_MODELS", str(models))
    monkeypatch.setattr("edgevoice.modelfolder.user_models", lambda: models / "none")
    with pytest.raises(edgevoice.ArgumentError):
        RepLearning("cae")
    with pytest.raises(edgevoice.ModelNotFoundError, match="edgevoice-export import-disvoice"):
        RepLearning("RAE")


def test_missing_packages(extractor: RepLearning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    write(tmp_path / "16.wav", noise)
    soundfile.write(tmp_path / "8.wav", noise, 8000)
    for name in ("pandas", "scipy.signal", "matplotlib.pyplot"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(edgevoice.MissingPackageError):
        extractor.extract_features_file(tmp_path / "16.wav", fmt="dataframe")
    with pytest.raises(edgevoice.MissingPackageError):
        extractor.extract_features_file(tmp_path / "8.wav")
    with pytest.raises(edgevoice.MissingPackageError):
        extractor.extract_features_file(tmp_path / "16.wav", plots=True)


def test_figures_have_axes_in_hertz(extractor: RepLearning, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    plain = extractor.extract_features_file(folder / "b.wav")
    np.testing.assert_array_equal(extractor.extract_features_file(folder / "b.wav", plots=True), plain)
    assert len(plt.get_fignums()) == 2
    before, after = plt.figure(plt.get_fignums()[0]).axes
    assert before.images[0].get_array().shape == after.images[0].get_array().shape == (BANDS, 2 * 126)
    labels = [label.get_text() for label in before.get_yticklabels()]
    places = dict(zip(labels, before.get_yticks(), strict=True))
    # Slaney's scale: 15 Mel at 1 kHz, 45.25 at 8 kHz.
    assert (places["8 kHz"], places["1 kHz"]) == (BANDS, pytest.approx(BANDS * 15 / 45.2456, rel=1e-3))
    plt.close("all")
