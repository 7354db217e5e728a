"""A loaded model."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.files import AudioInput, Incomplete, open_source
from edgevoice.audio.samples import as_array, check_samples
from edgevoice.batcher import Batcher
from edgevoice.config import ModelConfig
from edgevoice.errors import ArgumentError, ModelUseError, SamplesError
from edgevoice.extraction import Extraction
from edgevoice.features import Features, Layout
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Array, Networks
from edgevoice.levels import Level, find_level
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice.pipeline import new_pipeline
from edgevoice.providers import find_device
from edgevoice.recipe import AS_IT_IS, Reading, Recipe
from edgevoice.stream import Stream
from edgevoice.threads import usable_cores
from edgevoice.wholenumbers import whole_number
from edgevoice.windows import Windower, find_hop

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Descriptors = Literal["all", "bottleneck", "error"]
DESCRIPTORS = get_args(Descriptors)

_MOST = 1024
_MOST_JOBS = 8  # each takes 20 MB


class Typical(NamedTuple):
    """Mean and spread of each descriptor over the speech with which a model was validated, in the order of a frame."""

    mean: Array
    """float32 (descriptors,)"""
    spread: Array
    """Standard deviation, float32 (descriptors,), above 0 where the descriptor varies."""


def load(
    model: str | os.PathLike[str] | ModelFolder | Traversable = "cae-256",
    *,
    device: str = "cpu",
    threads: int = 1,
    descriptors: Descriptors = "all",
) -> Extractor:
    """Load a model.

    Args:
        model: name of a model (`edgevoice models` lists them), path of a model folder, a `ModelFolder`, or a resource of a
            package (`importlib.resources.files(package) / "model"`).
        device: `cpu`, `cuda`, `cuda:N` or `openvino`. A device that cannot be used is an error: there is no fallback.
        threads: CPU threads of one computation. With more than one, ONNX Runtime has threads of its own, which a forked
            child does not inherit: the extractor refuses to compute there. Load it in the child, or start processes with
            multiprocessing's `spawn`.
        descriptors: `all`, or only the `bottleneck` (the decoder is then neither loaded nor run), or only the `error`.

    Raises:
        ModelNotFoundError: there is no such model.
        ModelConfigError, ModelFilesError: the model folder is broken.
        ModelUseError: the model is one that only `edgevoice.compat.disvoice` can use.
        MissingPackageError, ProviderError: ONNX Runtime is missing, or cannot use the device.
    """
    find_device(device)
    threads = whole_number("threads", threads, 1, _MOST)
    if not isinstance(descriptors, str) or descriptors not in DESCRIPTORS:
        raise ArgumentError(f"descriptors {descriptors!r}: expected one of {', '.join(DESCRIPTORS)}")
    return Extractor(find_model(model), device, threads, descriptors)


class Extractor:
    """A loaded model: immutable, shared between threads. Made by `edgevoice.load`.

    It is pickled as what it was loaded from, and a process that unpickles it several times loads it once. A copy is itself.
    """

    __slots__ = ("__weakref__", "_folder", "_layout", "_loaded_as", "_networks", "_pipeline")

    def __init__(self, folder: ModelFolder, device: str, threads: int, descriptors: Descriptors) -> None:
        config = folder.config
        if config.batch_statistics:
            raise ModelUseError(
                f"model {config.name!r} computes all windows of a recording together, as DisVoice does: use "
                "edgevoice.compat.disvoice.RepLearning"
            )
        find_level(None, config.level)
        self._folder = folder
        self._loaded_as = (folder, device, threads, descriptors)
        self._networks = Networks(folder, device, threads, decoder=descriptors != "bottleneck")
        self._layout = Layout.of(config, descriptors)
        front_end = FrontEnd(config.spectrogram, config.audio)
        self._pipeline = new_pipeline(self._networks, front_end, self._layout, find_device(device).provider.batch)

    def __repr__(self) -> str:
        return f"<Extractor {self.config.name} {self.config.version} on {self.device}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded_once, self._loaded_as

    def __copy__(self, _: object = None) -> Extractor:
        return self

    __deepcopy__ = __copy__

    @property
    def config(self) -> ModelConfig:
        """The content of `model.json`."""
        return self._folder.config

    @property
    def folder(self) -> ModelFolder:
        """The model folder that was loaded."""
        return self._folder

    @property
    def device(self) -> str:
        """The device that computes."""
        return self._loaded_as[1]

    @property
    def jobs(self) -> int:
        """How many computations can run at the same time: usable cores by threads of one; 1 on devices that one fills."""
        _, device, threads, _ = self._loaded_as
        return max(1, usable_cores() // threads) if find_device(device).provider.concurrent else 1

    @property
    def layout(self) -> Layout:
        """The layout of a frame: counts, names and rate."""
        return self._layout

    @property
    def typical(self) -> Typical | None:
        """Mean and spread of each descriptor over speech, to scale a live picture; None where the model has none.

        A picture of `(frame.values - typical.mean) / typical.spread` shows what changes: unscaled, each descriptor is a
        stripe of its own brightness.
        """
        known, whole = self.config.typical, Layout.of(self.config)
        if known is None:
            return None
        columns = np.r_[tuple(whole.columns(group.name) for group in self._layout.groups if group.count)]
        return Typical(*(np.array(values, np.float32)[columns] for values in (known.mean, known.spread)))

    @property
    def batches(self) -> bool:
        """Whether several windows are computed in one run; False where the bits of a window would depend on its batch."""
        return self._networks.runs_at_once(self._pipeline.size)

    def stream(
        self,
        rate: int | None = None,
        channels: int = 1,
        *,
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | None = None,
        batcher: Batcher | None = None,
    ) -> Stream:
        """Make a stream for one live source.

        Args:
            rate: sampling rate of what will be pushed, in hertz; the model's if None.
            channels: how many each chunk has.
            level: `running`, `window` or a fixed gain; the model's own if None.
            hop: seconds between windows, a multiple of the level's step; the model's own if None.
            channel: the one to use, from 0 up; their mean if None.
            batcher: one of this extractor's, which computes the windows of several streams together: `push`, `skip` and
                `finish` then give no frames, `batcher.take` does.

        Raises:
            ModelUseError: the level `utterance` needs the whole audio at once.
        """
        chosen = find_level(level, self.config.level)
        if chosen.needs_whole:
            raise ModelUseError(
                f"level {chosen.name!r} needs the whole audio before its first window: a stream accepts 'running', 'window' "
                "or a fixed gain"
            )
        if batcher is not None and not (isinstance(batcher, Batcher) and batcher.pipeline is self._pipeline):
            raise ArgumentError("batcher: expected one that this extractor made, extractor.batcher()")
        return self.open_stream(batcher, chosen, hop, rate, channels, channel)

    def batcher(self, threads: int = 0) -> Batcher:
        """Make a batcher for many sources, whose windows are computed together: see `stream(batcher=...)`.

        Args:
            threads: how many compute, at most 1024; 0 computes in the calling thread.
        """
        return Batcher(self._pipeline, whole_number("threads", threads, 0, _MOST))

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
        incomplete: Incomplete = "error",
        jobs: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Features:
        """Compute the features of a whole recording, on the CPU with the same bits as a stream gives.

        Args:
            audio: a path, an open binary file that can be sought, (samples, rate), or an open source.
            level: `running`, `utterance`, `window` or a fixed gain; the model's own if None.
            hop: seconds between windows, a multiple of the level's step; the model's own if None.
            start: where to begin, in seconds. Positions of frames stay those of the whole recording; their `index` counts
                from 0 at the first window that is read.
            end: where to stop, in seconds.
            channel: the one to use, from 0 up; their mean if None.
            pad: whether audio shorter than one window is filled up with zeros.
            incomplete: `error` refuses a file that is damaged or cut short, `keep` reads what is there, with a warning.
            jobs: how many batches of windows are computed at the same time, each on the CPU threads that the model was
                loaded with: one for each usable core if None, 8 at most. 1 keeps all in the calling thread, as do devices
                other than the CPU.
            progress: called with the seconds of audio read since its last call.

        Raises:
            AudioError: the audio is missing, damaged, cut short, not finite, or shorter than one window.
            DeviceError: computing it failed.
        """
        reading = Reading(level, hop, channel, pad, incomplete)
        self.recipe(reading)  # arguments are checked before files
        if not (progress is None or callable(progress)):
            raise ArgumentError(f"progress {progress!r}: expected a function of seconds, or None")
        batcher = self.batcher(self._threads_for(jobs))
        with closing(batcher), open_source(audio, start, end, channel, incomplete=incomplete) as source:
            extraction = Extraction(self, source, reading, batcher)
            for seconds in extraction.read():
                for _, features in batcher.take(wait=False):
                    extraction.add(features)
                if progress:
                    progress(seconds)
            batcher.flush()
            for _, features in batcher.take():
                extraction.add(features)
            return extraction.features()

    def recipe(self, reading: Reading = AS_IT_IS) -> Recipe:
        """The recipe of features that are read in this way; an ArgumentError where that is not possible."""
        find_level(reading.level, self.config.level)
        return Recipe.of(self.config, reading, self.device, self._loaded_as[3])

    def encode(self, window: NDArray[Any]) -> Array:
        """Compute the bottleneck of windows that are at the model's level already: the shortest way through the encoder.

        Args:
            window: (window,) or (n, window), dtypes as `Stream.push`.

        Returns:
            float32 (n, units); n is 1 for a single window.

        Raises:
            SamplesError: wrong dtype or shape, NaN or infinity.
        """
        return self._each(window, "bottleneck")

    def spectrogram(self, window: NDArray[Any]) -> Array:
        """Compute standardised spectrograms of windows at the model's level: float32 (n, bands, columns), as `encode`."""
        return self._each(window, "spectrogram")[:, 0]

    def reconstruct(self, window: NDArray[Any]) -> Array:
        """Decode the bottleneck of windows to standardised spectrograms: float32 (n, bands, columns), as `encode`.

        Raises:
            ModelUseError: only the bottleneck was loaded.
        """
        if self._loaded_as[3] == "bottleneck":
            raise ModelUseError("the decoder was not loaded: load(..., descriptors='all')")
        return self._each(window, "reconstruction")[:, 0]

    def describe(self, window: NDArray[Any]) -> Array:
        """Compute the descriptors of windows at the model's level: float32 (n, descriptors), as `encode`."""
        return self._each(window)

    def open_stream(
        self, batcher: Batcher | None, level: Level, hop: float | None, rate: int | None, channels: int, channel: int | None
    ) -> Stream:
        """Make a stream with a level of its own, which may know the whole source. Users call `stream`."""
        windower = Windower(self.config, level, find_hop(hop, self.config), self._pipeline.size)
        rate = self.config.audio.rate if rate is None else rate
        return Stream(windower, batcher or self.batcher(), rate, channels, channel, shared=batcher is not None)

    def _threads_for(self, jobs: int | None) -> int:
        """The threads of the batcher with which `extract` computes so many batches at the same time."""
        jobs = min(self.jobs, _MOST_JOBS) if jobs is None else whole_number("jobs", jobs, 1, _MOST)
        return jobs if jobs > 1 and find_device(self.device).provider.concurrent else 0

    def _each(self, window: NDArray[Any], *wanted: str) -> Array:
        """One output of windows, or their descriptors."""
        windows, pipeline = self._windows(window), self._pipeline
        batches = (windows[first : first + pipeline.size] for first in range(0, len(windows), pipeline.size))
        results = [pipeline.run(batch, [*wanted])[0] if wanted else pipeline.describe(batch) for batch in batches]
        return results[0] if len(results) == 1 else np.concatenate(results)

    def _windows(self, window: NDArray[Any]) -> Array:
        """The windows, checked: (n, window)."""
        size, array = self.config.audio.window, as_array(window)
        if array.ndim not in (1, 2) or array.shape[-1] != size or len(array) == 0:
            raise SamplesError(f"windows have the shape {array.shape}, expected ({size},) or (n, {size})")
        return check_samples(array.reshape(-1)).reshape(-1, size)


def check_extractor(extractor: object) -> None:
    """Raise an ArgumentError where something is no loaded model."""
    if not isinstance(extractor, Extractor):
        raise ArgumentError(f"extractor {extractor!r:.80}: expected a model that edgevoice.load has loaded")


_loading = threading.Lock()


def _loaded_once(*loaded_as: Any) -> Extractor:
    """Load what a pickled extractor was loaded from, once per process."""
    with _loading:
        return _loaded(*loaded_as)


_loaded = lru_cache(maxsize=4)(Extractor)
