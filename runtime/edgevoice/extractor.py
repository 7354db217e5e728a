"""A loaded model."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgevoice.analysis import Analysis, Apart, Together, describe
from edgevoice.audio.files import AudioInput, open_source
from edgevoice.audio.resampling import check_resampler, resampled
from edgevoice.audio.samples import check_samples, is_number
from edgevoice.config import ModelConfig
from edgevoice.errors import ArgumentError, AudioTooShortError, ModelUseError, SamplesError
from edgevoice.features import Features, Layout
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Images, Networks, check_device
from edgevoice.levels import parse_level, whole_level
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice.parallel import analysed, default_workers
from edgevoice.stream import Stream
from edgevoice.streamgroup import StreamGroup
from edgevoice.windows import BATCH, FixedLevel, Windower, Windows

DESCRIPTORS = ("all", "bottleneck", "error")
Descriptors = Literal["all", "bottleneck", "error"]

_CUDA_BATCH = 64


def load(
    model: str | os.PathLike[str] = "cae-256",
    *,
    device: str = "cpu",
    threads: int = 1,
    descriptors: Descriptors = "all",
) -> Extractor:
    """Load a model.

    Args:
        model: name of a model (`edgevoice models` lists them), or path of a model folder.
        device: `cpu`, `cuda` or `cuda:N`. A device that cannot be used is an error: there is no fallback.
        threads: CPU threads of one computation.
        descriptors: `all`, or only the `bottleneck` (the decoder is then neither loaded nor run), or only the `error`.

    Raises:
        ModelNotFoundError: there is no such model.
        ModelConfigError, ModelFilesError: the model folder is broken.
        MissingPackageError, ProviderError: ONNX Runtime is missing, or cannot use the device.
        ArgumentError: an argument is outside what is allowed.
    """
    check_device(device)
    _check_count("threads", threads)
    if descriptors not in DESCRIPTORS:
        raise ArgumentError(f"descriptors {descriptors!r}: expected one of {', '.join(DESCRIPTORS)}")
    return Extractor(find_model(model), device, threads, descriptors)


class Extractor:
    """A loaded model: immutable, shared between threads. Made by `edgevoice.load`."""

    __slots__ = ("_device", "_folder", "_layout", "_local", "_networks", "_spectrogram", "_threads")

    def __init__(self, folder: ModelFolder, device: str, threads: int, descriptors: Descriptors) -> None:
        config = folder.config
        self._folder, self._device, self._threads = folder, device, threads
        self._networks = Networks(folder, device, threads, decoder=descriptors != "bottleneck")
        self._spectrogram = FrontEnd(config.spectrogram, config.audio)
        self._local = threading.local()
        bottleneck = config.features.bottleneck if descriptors != "error" else 0
        error = config.features.error if descriptors != "bottleneck" else 0
        self._layout = Layout(bottleneck, error, config.audio.rate, config.audio.window)

    def __repr__(self) -> str:
        return f"<Extractor {self.config.name} {self.config.version} on {self._device}>"

    @property
    def config(self) -> ModelConfig:
        """What `model.json` says."""
        return self._folder.config

    @property
    def folder(self) -> ModelFolder:
        """The model folder that it was loaded from."""
        return self._folder

    @property
    def device(self) -> str:
        """The device that computes."""
        return self._device

    @property
    def layout(self) -> Layout:
        """What a frame's numbers are: counts, names, rate."""
        return self._layout

    def stream(
        self,
        rate: int | None = None,
        channels: int = 1,
        *,
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | None = None,
    ) -> Stream:
        """A stream for one live source.

        Args:
            rate: sampling rate of what will be pushed, in hertz; the model's if None.
            channels: how many each chunk has.
            level: `running`, `window` or a fixed gain; the model's own if None.
            hop: seconds between windows, a multiple of the level's step; the model's own if None.
            channel: the one to use, from 0 up; their mean if None.

        Raises:
            ModelUseError: the model, or the level `utterance`, needs the whole audio at once.
            ArgumentError: an argument is outside what is allowed.
        """
        return self._stream(self._analysis(), rate, channels, level, hop, channel)

    def group(self) -> StreamGroup:
        """A group of streams for many live sources on one thread, whose windows are computed together."""
        return StreamGroup(self._networks, self._spectrogram, self._layout, self._batch, self._stream)

    def _stream(
        self,
        analysis: Analysis,
        rate: int | None,
        channels: int,
        level: str | float | None,
        hop: float | None,
        channel: int | None,
    ) -> Stream:
        name = self.config.name
        if self.config.windows == "together":
            raise ModelUseError(
                f"model {name!r} computes all windows of a source together: it takes whole files (extract), not streams"
            )
        chosen = parse_level(level, self.config.level)
        if chosen == "utterance":
            raise ModelUseError(
                "level 'utterance' needs the whole audio before its first window: a stream takes 'running', 'window' or "
                "a fixed gain"
            )
        rate = self.config.audio.rate if rate is None else rate
        windower = Windower(self.config, _fixed(chosen), self._hop(hop), self._batch)
        return Stream(windower, analysis, self._layout, rate, channels, channel)

    def extract(
        self,
        audio: AudioInput,
        *,
        level: str | float | None = None,
        hop: float | None = None,
        start: float | None = None,
        end: float | None = None,
        channel: int | None = None,
        pad: bool = False,
        resampler: Literal["soxr", "fft"] = "soxr",
        workers: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Features:
        """Features of a whole recording: what a stream gives that is fed with it, bit for bit on the CPU.

        Args:
            audio: a path, an open binary file, (samples, rate), or an open `AudioSource`, which stays open and takes neither
                `start` nor `end`.
            level: `running`, `utterance`, `window` or a fixed gain; the model's own if None.
            hop: seconds between windows, a multiple of the level's step; the model's own if None.
            start: where to begin, in seconds. Positions of frames stay those of the whole recording; their `index` counts
                from 0 at the first window that is read.
            end: where to stop, in seconds.
            channel: the one to use, from 0 up; their mean if None.
            pad: whether audio shorter than one window is filled up with zeros.
            resampler: `soxr`, in constant memory, or `fft`: the whole signal by its spectrum, as DisVoice does.
            workers: how many batches of windows are computed at the same time, each on the CPU threads that the model was
                loaded with: one a usable core if None, 8 at most. 1 keeps all in the calling thread, as do models that
                compute windows together, and devices other than the CPU.
            progress: called with the seconds of audio read since its last call.

        Raises:
            AudioError: the audio is missing, damaged, cut short, not finite, or shorter than one window.
            DeviceError: computing it failed.
            ArgumentError: an argument is outside what is allowed.
        """
        chosen = parse_level(level, self.config.level)
        check_resampler(resampler)
        samples = self._hop(hop)
        dtype = np.float64 if resampler == "fft" else np.float32
        window = self.config.audio.window
        with open_source(audio, start, end, channel) as source:

            def signal() -> Iterator[NDArray[np.floating]]:
                return resampled(source, self.config.audio.rate, channel, resampler)

            measured = _measure(signal(), self.config) if chosen == "utterance" else _fixed(chosen)
            windower = Windower(self.config, measured, samples, self._batch, dtype)

            def blocks() -> Iterator[Windows]:
                reported = 0
                for block in signal():
                    yield from windower.push(block)
                    if progress:
                        progress((windower.position - reported) / self.config.audio.rate)
                        reported = windower.position
                if pad and 0 < windower.position < window:
                    yield from windower.push(np.zeros(window - windower.position, dtype))

            with closing(analysed(blocks(), self._analysis, self._workers(workers))) as frames:
                features = Features.join(frames, self.layout)
        if not len(features):
            raise AudioTooShortError(f"{source.name}: {self._too_short(windower.position, start)}")
        return features.moved(round(source.first * self.config.audio.rate / source.rate))

    def encode(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """Bottleneck of windows whose samples have the model's level already: the shortest way through the encoder.

        Args:
            window: (window,) or (n, window), dtypes as `Stream.push`. Where the model computes windows together, the n
                given are the recording.

        Returns:
            float32 (n, units); n is 1 for a single window.

        Raises:
            SamplesError: wrong dtype or shape, NaN or infinity.
        """
        return self._each(window, self._networks.encode)

    def spectrogram(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """Standardised spectrograms of windows at the model's level: float32 (n, bands, columns).

        Raises:
            SamplesError: as `encode`.
        """
        return self._images(self._windows(window))[:, 0].copy()

    def reconstruct(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """What the decoder makes of the windows' bottleneck, standardised: float32 (n, bands, columns).

        Raises:
            SamplesError: as `encode`.
            ModelUseError: only the bottleneck was loaded.
        """
        if not self.layout.error:
            raise ModelUseError("the decoder was not loaded: load(..., descriptors='all')")
        networks = self._networks
        return self._each(window, lambda images: networks.reconstruct(networks.encode(images), images)[:, 0])

    def describe(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """Descriptors of windows at the model's level: float32 (n, descriptors), as the rows of `extract`.

        Raises:
            SamplesError: as `encode`.
        """
        return self._each(window, lambda images: describe(self._networks, self._layout, images))

    @property
    def _batch(self) -> int:
        """Windows computed together at most, where more than one is at hand."""
        if self._device != "cpu":
            return _CUDA_BATCH
        return BATCH if self.config.batch_independent else 1

    def _workers(self, asked: int | None) -> int:
        """Batches that `extract` computes at the same time."""
        if asked is not None:
            _check_count("workers", asked)
        if self._device != "cpu" or self.config.windows == "together":
            return 1
        return default_workers(self._threads) if asked is None else asked

    def _analysis(self) -> Analysis:
        """New buffers, and the way from windows to features, for one stream."""
        if self.config.windows == "together":
            return Together(self._networks, self._spectrogram, self._layout)
        return Apart(self._networks, self._spectrogram, self._layout, self._batch)

    def _each(self, window: NDArray[Any], compute: Callable[[Images], Images]) -> Images:
        """What is computed from the spectrograms of windows: in batches, where the windows do not depend on each other."""
        windows = self._windows(window)
        size = self._batch if self.config.windows == "apart" else len(windows)
        if len(windows) <= size:
            return compute(self._images(windows))
        return np.concatenate([compute(self._images(windows[k : k + size])) for k in range(0, len(windows), size)])

    def _windows(self, window: NDArray[Any]) -> NDArray[np.float32]:
        """Checked, (n, window)."""
        size = self.config.audio.window
        shape = getattr(window, "shape", None)
        if not shape or len(shape) > 2 or shape[-1] != size or shape[0] == 0:
            raise SamplesError(f"windows have the shape {shape}, expected ({size},) or (n, {size})")
        return check_samples(window.reshape(-1)).reshape(-1, size)

    def _images(self, windows: NDArray[np.float32]) -> Images:
        """Spectrograms float32 (n, 1, bands, columns), for one window in a buffer that this thread's next call reuses."""
        local = self._local
        if not hasattr(local, "scratch"):
            local.scratch = self._spectrogram.scratch()
            local.image = np.empty((1, 1, *self._spectrogram.shape), np.float32)
        images = local.image if len(windows) == 1 else np.empty((len(windows), 1, *self._spectrogram.shape), np.float32)
        self._spectrogram.compute(windows, scratch=local.scratch, out=images[:, 0])
        return images

    def _too_short(self, samples: int, start: float | None) -> str:
        audio = self.config.audio
        if not samples:
            return f"has no samples from {start:g} s on" if start else "has no samples"
        told = f"has {samples / audio.rate:.3f} s, less than one window of {audio.window / audio.rate:g} s"
        return f"{told}; pad fills it up with zeros"

    def _hop(self, seconds: float | None) -> int:
        audio, step = self.config.audio, self.config.level.step
        if seconds is None:
            return audio.hop
        if not is_number(seconds) or not 0 < seconds < 3600:
            raise ArgumentError(f"hop {seconds!r}: expected seconds, above 0")
        samples = round(seconds * audio.rate)
        if samples == 0 or samples % step or abs(samples - seconds * audio.rate) > 1e-6 * audio.rate:
            raise ArgumentError(f"hop {seconds}: expected a multiple of {step / audio.rate:g} s, the step of the level")
        return samples


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1024:
        raise ArgumentError(f"{name} {value!r}: expected a whole number from 1 to 1024")


def _fixed(level: str | float) -> str | FixedLevel:
    return level if isinstance(level, str) else FixedLevel(0.0, level)


def _measure(signal: Iterator[NDArray[np.floating]], config: ModelConfig) -> FixedLevel:
    """Offset and gain of a whole signal at the model's rate, its tail included."""
    count, total, low, high = 0, 0.0, np.inf, -np.inf
    for samples in signal:
        if len(samples):
            count += len(samples)
            total += float(np.add.reduce(samples.astype(np.float64)))
            low, high = min(low, float(samples.min())), max(high, float(samples.max()))
    return FixedLevel(*whole_level(total / count, low, high, config.level)) if count else FixedLevel(0.0, 1.0)
