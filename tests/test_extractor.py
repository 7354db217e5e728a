"""Loading, and whole recordings."""

from __future__ import annotations

import copy
import dataclasses
import importlib.resources
import io
import multiprocessing
import pickle
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice import Extractor
from edgevoice.levels import Running
from edgevoice.recipe import Recipe


def test_a_path_an_open_file_and_an_array_are_the_same(tiny: Extractor, speech: Path) -> None:
    samples, rate = soundfile.read(speech, dtype="int16")
    expected = tiny.extract(speech).values.tobytes()
    assert tiny.extract(str(speech)).values.tobytes() == expected
    assert tiny.extract((samples, rate)).values.tobytes() == expected
    with speech.open("rb") as file:
        assert tiny.extract(file).values.tobytes() == expected
    inside = io.BytesIO(b"before" + speech.read_bytes())
    inside.seek(6)
    assert tiny.extract(inside, level="utterance").values.shape == (31, 136)


def test_running_level_is_that_of_the_windows_end(tiny: Extractor, noise: np.ndarray) -> None:
    at = Running(tiny.config.level).track(noise)
    features = tiny.extract((noise, 16000))
    for k in (0, 5, 37):
        offset, gain = at(4000 * k, 4000 * k + 8000)
        assert (features.offset[k], features.gain[k]) == (offset, gain)
        window = (noise[4000 * k : 4000 * k + 8000].astype(np.float64) - offset) * gain
        np.testing.assert_allclose(tiny.encode(window)[0], features.bottleneck[k], rtol=1e-4, atol=1e-4)


def test_utterance_level_is_that_of_the_whole_source(tiny: Extractor, noise: np.ndarray) -> None:
    tail = np.concatenate([noise, np.array([0.9, -0.9] * 10, np.float32)])
    signal = tail.astype(np.float64) - tail.astype(np.float64).mean()
    signal /= np.abs(signal).max()
    expected = tiny.extract((signal, 16000), level=1.0)
    ours = tiny.extract((tail, 16000), level="utterance")
    np.testing.assert_allclose(ours.values, expected.values, rtol=1e-4, atol=1e-4)


def test_window_level_is_that_of_each_window(tiny: Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16000), level="window")
    for k in (0, 20):
        window = noise[4000 * k : 4000 * k + 8000].astype(np.float64)
        window -= window.mean()
        np.testing.assert_allclose(tiny.encode(window / np.abs(window).max())[0], features.bottleneck[k], atol=1e-4)


def test_a_gain_of_one_is_what_encode_sees(tiny: Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16000), level=1.0)
    windows = np.lib.stride_tricks.sliding_window_view(noise, 8000)[::4000]
    assert tiny.encode(windows).tobytes() == features.bottleneck.tobytes()
    assert tiny.describe(windows).tobytes() == features.values.tobytes()
    for k in (0, 11):
        assert tiny.encode(windows[k]).shape == (1, 8)
        assert tiny.encode(windows[k]).tobytes() == features.bottleneck[k].tobytes()


def test_error_is_the_mean_square_of_what_the_decoder_misses(tiny: Extractor, noise: np.ndarray) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(noise, 8000)[::4000]
    missed = tiny.spectrogram(windows).astype(np.float64) - tiny.reconstruct(windows)
    features = tiny.extract((noise, 16000), level=1.0)
    np.testing.assert_allclose((missed**2).mean(axis=2), features.error, rtol=1e-4, atol=1e-7)


def test_what_is_returned_is_new(tiny: Extractor, noise: np.ndarray) -> None:
    first, second = tiny.spectrogram(noise[:8000]), tiny.spectrogram(noise[8000:16_000])
    assert not np.shares_memory(first, second)
    assert tiny.spectrogram(noise[:8000]).tobytes() == first.tobytes()


@pytest.mark.parametrize(("descriptors", "bottleneck", "error"), [("all", 8, 128), ("bottleneck", 8, 0), ("error", 0, 128)])
def test_descriptors(
    tiny: Extractor, tiny_model: Path, noise: np.ndarray, descriptors: Any, bottleneck: int, error: int
) -> None:
    whole = tiny.extract((noise, 16000))
    features = edgevoice.load(tiny_model, descriptors=descriptors).extract((noise, 16000))
    assert (features.bottleneck.shape[1], features.error.shape[1]) == (bottleneck, error)
    assert len(features.names) == features.values.shape[1] == bottleneck + error
    if bottleneck:
        assert features.bottleneck.tobytes() == whole.bottleneck.tobytes()
    if error:
        assert features.error.tobytes() == whole.error.tobytes()


def test_only_the_bottleneck_needs_no_decoder(make_model: Callable[..., Path], noise: np.ndarray) -> None:
    folder = make_model()
    (folder / "decoder.onnx").unlink()
    extractor = edgevoice.load(folder, descriptors="bottleneck")
    assert extractor.encode(noise[:8000]).shape == (1, 8)
    with pytest.raises(edgevoice.ModelUseError, match="decoder"):
        extractor.reconstruct(noise[:8000])


def test_start_and_end_cut_and_keep_the_place_in_time(tiny: Extractor, speech: Path) -> None:
    samples, rate = soundfile.read(speech, dtype="int16")
    cut = tiny.extract((samples[rate * 2 : rate * 5], rate))
    for source in (speech, (samples, rate)):
        features = tiny.extract(source, start=2.0, end=5.0)
        assert features.values.tobytes() == cut.values.tobytes()
        assert features.position[0] == 2 * 16000
        assert (features.start[0], features.end[0], features.extent) == (2.0, 2.5, (2.0, 5.0))
    assert len(tiny.extract(speech, end=1000.0)) == 31


@pytest.mark.parametrize(
    "times", [("1", None), (True, None), (-1, None), (2, 2), (3, 1), (float("nan"), None), (None, 0), (1e305, None)]
)
def test_times_in_no_order(tiny: Extractor, speech: Path, times: tuple[Any, Any]) -> None:
    with pytest.raises(edgevoice.ArgumentError):
        tiny.extract(speech, start=times[0], end=times[1])


def test_lengths_around_one_window(tiny: Extractor, noise: np.ndarray) -> None:
    assert len(tiny.extract((noise[:8000], 16000))) == 1
    with pytest.raises(edgevoice.AudioTooShortError, match="less than one window"):
        tiny.extract((noise[:7999], 16000))
    padded = tiny.extract((noise[:7999], 16000), pad=True)
    zeros = np.concatenate([noise[:7999], np.zeros(1, np.float32)])
    assert padded.values.tobytes() == tiny.extract((zeros, 16000)).values.tobytes()
    assert len(tiny.extract((noise[:11_000], 16000), pad=True)) == 1
    for pad in (False, True):
        with pytest.raises(edgevoice.AudioTooShortError, match="no samples"):
            tiny.extract((noise[:0], 16000), pad=pad)
    with pytest.raises(edgevoice.AudioTooShortError, match="no samples from 60 s on"):
        tiny.extract((noise, 16000), start=60.0)


@pytest.mark.parametrize("level", ["running", "utterance", "window", 1.0, 30000.0])
@pytest.mark.parametrize("value", [0.0, 0.3, -1.0, 1e-6])
def test_silence_and_constants_are_flagged_and_finite(tiny: Extractor, level: Any, value: float) -> None:
    features = tiny.extract((np.full(32_000, value, np.float32), 16000), level=level)
    assert np.isfinite(features.values).all()
    assert np.isfinite(features.functionals()).all()
    quiet = abs(value) < 2**-15 or not isinstance(level, float)
    assert features.silent.all() == quiet


def test_flags_follow_the_audio(tiny: Extractor, noise: np.ndarray) -> None:
    samples = noise.copy()
    samples[40_000:80_000] = 0
    features = tiny.extract((samples, 16000), level="window")
    inside = (features.start >= 2.5) & (features.end <= 5)
    assert (features.silent == inside).all()
    assert not features.gap.any()


@pytest.mark.parametrize("scale", [65536.0, 1e-30, 1e-38])
@pytest.mark.parametrize("level", ["running", "utterance", "window", 2.0**15, 2.0**-15])
def test_extreme_scales_stay_finite(tiny: Extractor, noise: np.ndarray, scale: float, level: Any) -> None:
    samples = (noise / np.abs(noise).max() * scale).astype(np.float32)
    assert np.isfinite(tiny.extract((samples, 16000), level=level).values).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_audio(tiny: Extractor, noise: np.ndarray, bad: float, tmp_path: Path) -> None:
    samples = noise.copy()
    samples[100_000] = bad
    path = tmp_path / "bad.wav"
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    for source in ((samples, 16000), path):
        with pytest.raises(edgevoice.SamplesError):
            tiny.extract(source)


def test_progress_adds_up_to_the_length(tiny: Extractor, speech: Path) -> None:
    told: list[float] = []
    tiny.extract(speech, progress=told.append)
    assert sum(told) == pytest.approx(soundfile.info(speech).duration)


def test_a_model_with_batch_statistics_is_disvoices(make_model: Callable[..., Path]) -> None:
    with pytest.raises(edgevoice.ModelUseError, match=r"edgevoice\.compat\.disvoice\.RepLearning"):
        edgevoice.load(make_model(batch_statistics=True))


@pytest.mark.parametrize(
    "window", [np.zeros(7999), np.zeros((2, 7999)), np.zeros((0, 8000)), np.zeros((1, 1, 8000)), [0.0], None]
)
def test_windows_of_another_shape(tiny: Extractor, window: Any) -> None:
    for call in (tiny.encode, tiny.spectrogram, tiny.reconstruct):
        with pytest.raises(edgevoice.SamplesError, match=r"shape|expected a NumPy array"):
            call(window)


@pytest.mark.parametrize(
    "arguments",
    [{"device": "gpu"}, {"device": "cuda:x"}, {"device": 0}, {"threads": 0}, {"threads": 1.5}, {"descriptors": "none"}],
)
def test_arguments_of_load(tiny_model: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(edgevoice.ArgumentError):
        edgevoice.load(tiny_model, **arguments)


@pytest.mark.parametrize("name", ["config", "folder", "device", "layout", "anything"])
def test_nothing_of_it_can_be_set(tiny: Extractor, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(tiny, name, None)


@pytest.mark.parametrize("same_bits", [True, False])
def test_windows_given_together_have_the_bits_of_each_alone(tiny_model: Path, noise: np.ndarray, same_bits: bool) -> None:
    extractor = edgevoice.load(tiny_model)
    if not same_bits:
        extractor._networks._has_same_bits = lambda _: False  # type: ignore[method-assign]
    assert extractor.batches == same_bits
    windows = np.lib.stride_tricks.sliding_window_view(noise, 8000)[::5000][:21]
    for method in (extractor.encode, extractor.describe, extractor.reconstruct, extractor.spectrogram):
        assert method(windows).tobytes() == b"".join(method(window).tobytes() for window in windows)


def test_it_is_copied_as_itself_and_pickled_as_what_it_was_loaded_from(tiny: Extractor, noise: np.ndarray) -> None:
    assert copy.copy(tiny) is copy.deepcopy(tiny) is tiny
    one, other = (pickle.loads(pickle.dumps(tiny)) for _ in range(2))
    assert one is other
    assert one.describe(noise[:8000]).tobytes() == tiny.describe(noise[:8000]).tobytes()
    assert dataclasses.asdict(tiny.config)["files"] == dict(tiny.config.files)
    assert pickle.loads(pickle.dumps(tiny.config)) == copy.deepcopy(tiny.config) == tiny.config


def test_other_processes_take_it(tiny: Extractor, speech: Path) -> None:
    expected = tiny.extract(speech, jobs=1).values.tobytes()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert [features.values.tobytes() for features in pool.map(partial(tiny.extract, jobs=1), [speech] * 2)] == [
            expected
        ] * 2
    joblib = pytest.importorskip("joblib")
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(tiny.extract)(speech, jobs=1) for _ in range(2))
    assert [features.values.tobytes() for features in found] == [expected] * 2


def test_the_workers_of_a_dask_cluster_take_it(tiny: Extractor, speech: Path) -> None:
    distributed = pytest.importorskip("distributed")
    expected = tiny.extract(speech).values.tobytes()
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        found = client.gather(client.map(partial(tiny.extract, jobs=1), [speech] * 2, pure=False))
    assert [features.values.tobytes() for features in found] == [expected] * 2


class Recordings:
    """A data set of PyTorch's kind, whose workers are processes."""

    def __init__(self, extractor: Extractor, files: list[Path]) -> None:
        self.extractor, self.files = extractor, files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, k: int) -> np.ndarray:
        return np.asarray(self.extractor.extract(self.files[k], jobs=1))


def test_the_workers_of_a_data_loader_take_it(tiny: Extractor, speech: Path) -> None:
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(Recordings(tiny, [speech] * 2), batch_size=None, num_workers=1, multiprocessing_context="spawn")
    expected = tiny.extract(speech).values.tobytes()
    assert [values.numpy().tobytes() for values in loader] == [expected] * 2


def test_models_are_loaded_from_folders_and_packages(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert edgevoice.load(edgevoice.ModelFolder.open(tiny_model)).config.name == "tiny"
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        archive.writestr("zippedmodels/__init__.py", "")
        for file in tiny_model.iterdir():
            archive.write(file, f"zippedmodels/tiny/{file.name}")
    monkeypatch.syspath_prepend(tmp_path / "zipped.zip")
    resource = importlib.resources.files("zippedmodels") / "tiny"
    assert edgevoice.load(resource).config.name == "tiny"
    with pytest.raises(edgevoice.ModelNotFoundError):
        edgevoice.load(importlib.resources.files("zippedmodels") / "none")
    with pytest.raises(edgevoice.ArgumentError, match="a name, a path, a ModelFolder or a resource"):
        edgevoice.load(3)  # type: ignore[arg-type]
    with pytest.raises(edgevoice.ModelNotFoundError, match=r"searched: .*models"):
        edgevoice.load("none")


@pytest.mark.parametrize("rate", [16000.0, np.int32(16000), np.float32(16000), Fraction(16000)])
def test_whole_numbers_of_any_type(tiny: Extractor, noise: np.ndarray, rate: Any) -> None:
    expected = tiny.extract((noise, 16000)).values.tobytes()
    assert tiny.extract((noise, rate), jobs=np.int8(2), channel=np.uint8(0)).values.tobytes() == expected
    assert tiny.stream(rate, np.float64(1)).rate == 16000


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.float16, np.float32, np.longdouble])
def test_seconds_of_any_type(tiny: Extractor, kind: Any) -> None:
    samples = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    for value in (kind(3), kind(4.3)):
        seconds, hop = float(value), kind(2)
        expected = tiny.extract((samples, 16000), start=seconds, end=seconds + 0.6, hop=2.0, channel=0)
        found = tiny.extract((samples, 16000), start=value, end=seconds + 0.6, hop=hop, channel=kind(0))
        assert found.position.tolist() == expected.position.tolist() == [round(16000 * seconds)]
        assert found.values.tobytes() == expected.values.tobytes()
        assert found.recipe is not None
        assert found.recipe == Recipe.from_json(found.recipe.to_json()) == expected.recipe


def test_a_relative_path_holds_in_another_folder(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_model.parent)
    packed = pickle.dumps(edgevoice.load(Path(tiny_model.name)))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(packed).config.name == "tiny"


@pytest.mark.parametrize("descriptors", ["all", "bottleneck", "error"])
def test_typical_numbers_scale_speech(descriptors: Any, speech: Path, tiny: Extractor) -> None:
    assert tiny.typical is None
    extractor = edgevoice.load("cae-64", descriptors=descriptors)
    values = extractor.extract(speech).values
    assert extractor.typical is not None
    mean, spread = extractor.typical
    assert mean.shape == spread.shape == (values.shape[1],)
    assert mean.dtype == spread.dtype == np.float32
    assert (spread > 0).all()
    columns = np.median(np.abs(values - mean) / spread, axis=0)
    assert 0.2 < np.median(columns) < 20  # a telephone line, whose upper bands are far from typical
