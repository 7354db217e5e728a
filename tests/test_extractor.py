"""Loading, and whole recordings."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice import Extractor
from edgevoice.levels import LevelFollower, Steps


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
    offsets, peaks = LevelFollower(tiny.config.level).follow(Steps.measure(noise, tiny.config.level.step))
    features = tiny.extract((noise, 16000))
    for k in (0, 5, 37):
        last = (4000 * k + 8000) // 800 - 1
        window = (noise[4000 * k : 4000 * k + 8000].astype(np.float64) - offsets[last]) / peaks[last]
        np.testing.assert_allclose(tiny.encode(window)[0], features.bottleneck[k], rtol=1e-4, atol=1e-4)


def test_utterance_level_is_that_of_the_whole_source(tiny: Extractor, noise: np.ndarray) -> None:
    tail = np.concatenate([noise, np.array([0.9, -0.9] * 10, np.float32)])
    signal = tail.astype(np.float64) - tail.astype(np.float64).mean()
    signal /= np.abs(signal).max()
    expected = tiny.extract((signal, 16000), level=1.0)
    ours = tiny.extract((tail, 16000), level="utterance")
    np.testing.assert_allclose(ours.values, expected.values, rtol=1e-4, atol=1e-4)


def test_utterance_level_opens_a_file_twice(tiny: Extractor, speech: Path) -> None:
    class Counted(io.BytesIO):
        rewinds = 0

        def seek(self, offset: int, whence: int = 0) -> int:
            self.rewinds += (offset, whence) == (0, 0)
            return super().seek(offset, whence)

    once, twice = Counted(speech.read_bytes()), Counted(speech.read_bytes())
    tiny.extract(once, level="window")
    tiny.extract(twice, level="utterance")
    assert twice.rewinds > once.rewinds


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
        assert features.start[0] == 2 * 16000
        assert features.seconds[0] == 2.5
    assert len(tiny.extract(speech, end=1000.0)) == 31


@pytest.mark.parametrize("times", [("1", None), (True, None), (-1, None), (2, 2), (3, 1), (float("nan"), None), (None, 0)])
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
    inside = (features.start >= 40_000) & (features.end <= 80_000)
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


def test_together_takes_the_windows_as_the_file(make_model: Callable[..., Path], tiny: Extractor, noise: np.ndarray) -> None:
    together = edgevoice.load(make_model(windows="together"))
    whole, apart = together.extract((noise, 16000)), tiny.extract((noise, 16000))
    assert whole.values.tobytes() == apart.values.tobytes()
    assert (whole.start == apart.start).all()


def test_resampling_by_the_spectrum(tiny: Extractor, noise: np.ndarray) -> None:
    scipy_signal = pytest.importorskip("scipy.signal")
    resampled = scipy_signal.resample(noise[:80_000].astype(np.float64), 160_000)
    ours = tiny.extract((noise[:80_000], 8000), resampler="fft", level=1.0)
    np.testing.assert_allclose(ours.values, tiny.extract((resampled, 16000), level=1.0).values, rtol=1e-3, atol=1e-3)
    with pytest.raises(edgevoice.ArgumentError, match="resampler"):
        tiny.extract((noise, 8000), resampler="linear")  # type: ignore[arg-type]


def test_fft_resampling_without_scipy(tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.signal", None)
    with pytest.raises(edgevoice.MissingPackageError, match="disvoice"):
        tiny.extract((noise, 8000), resampler="fft")


@pytest.mark.parametrize(
    "window", [np.zeros(7999), np.zeros((2, 7999)), np.zeros((0, 8000)), np.zeros((1, 1, 8000)), [0.0], None]
)
def test_windows_of_another_shape(tiny: Extractor, window: Any) -> None:
    for call in (tiny.encode, tiny.spectrogram, tiny.reconstruct):
        with pytest.raises(edgevoice.SamplesError, match="shape"):
            call(window)


@pytest.mark.parametrize(
    "arguments",
    [{"device": "gpu"}, {"device": "cuda:x"}, {"device": 0}, {"threads": 0}, {"threads": 1.5}, {"descriptors": "none"}],
)
def test_arguments_of_load(tiny_model: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(edgevoice.ArgumentError):
        edgevoice.load(tiny_model, **arguments)


@pytest.mark.parametrize("source", [("x",), (1, 2, 3), 3, None, (np.zeros(8000), 0), (np.zeros(8000), "16000")])
def test_sources_that_are_none(tiny: Extractor, source: Any) -> None:
    with pytest.raises(edgevoice.ArgumentError):
        tiny.extract(source)


def test_properties(tiny: Extractor, tiny_model: Path) -> None:
    assert repr(tiny) == "<Extractor tiny 1.0.0 on cpu>"
    assert tiny.folder.path == tiny_model
    assert tiny.device == "cpu"
    assert tiny.config.name == "tiny"


@pytest.mark.parametrize("name", ["config", "folder", "device", "layout", "anything"])
def test_nothing_of_it_can_be_set(tiny: Extractor, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(tiny, name, None)


@pytest.mark.parametrize("independent", [True, False])
def test_windows_given_together_have_the_bits_of_each_alone(
    make_model: Callable[..., Path], noise: np.ndarray, independent: bool
) -> None:
    extractor = edgevoice.load(make_model(batch_independent=independent))
    windows = np.lib.stride_tricks.sliding_window_view(noise, 8000)[::5000][:21]
    for method in (extractor.encode, extractor.describe, extractor.reconstruct, extractor.spectrogram):
        assert method(windows).tobytes() == b"".join(method(window).tobytes() for window in windows)
