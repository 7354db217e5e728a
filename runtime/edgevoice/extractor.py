"""A loaded model."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.analysis import Analysis, Concurrent, Direct, Filled, Pipeline
from edgevoice.audio.files import AudioInput, open_source
from edgevoice.audio.resampling import resampled
from edgevoice.audio.samples import check_samples, is_number
from edgevoice.audio.source import AudioSource
from edgevoice.config import SILENCE, ModelConfig
from edgevoice.cores import usable_cores
from edgevoice.errors import ArgumentError, AudioTooShortError, EdgeVoiceWarning, ModelUseError, SamplesError
from edgevoice.features import Features, Layout
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Array, Networks
from edgevoice.levels import Level, find_level
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice.providers import find_device
from edgevoice.recipe import Recipe
from edgevoice.sessions import SessionOptions
from edgevoice.stream import Stream, StreamGroup
from edgevoice.wholenumbers import whole_number
from edgevoice.windows import Windower
from edgevoice.workspaces import Workspace

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from edgevoice.corpus.index import IndexSource

DESCRIPTORS = ("all", "bottleneck", "error")
Descriptors = Literal["all", "bottleneck", "error"]

_MOST = 1024
_MOST_WORKERS = 8  # each takes 20 MB


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
    session_options: SessionOptions | None = None,
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
        session_options: ONNX Runtime's own options for those who know what they want: attributes of its `SessionOptions`
            and, where a name has a dot, its configuration entries. They come after EdgeVoice's own choices.

    Raises:
        ModelNotFoundError: there is no such model.
        ModelConfigError, ModelFilesError: the model folder is broken.
        ModelUseError: the model is one that only `edgevoice.compat.disvoice` can use.
        MissingPackageError, ProviderError: ONNX Runtime is missing, or cannot use the device.
        ArgumentError: an argument is outside what is allowed.
    """
    find_device(device)
    threads = whole_number("threads", threads, 1, _MOST)
    if descriptors not in DESCRIPTORS:
        raise ArgumentError(f"descriptors {descriptors!r}: expected one of {', '.join(DESCRIPTORS)}")
    return Extractor(find_model(model), device, threads, descriptors, session_options)


def layout_of(config: ModelConfig, descriptors: str = "all") -> Layout:
    """The layout of the frames, known before the model is loaded; `descriptors` as in `load`."""
    bottleneck = config.features.bottleneck if descriptors != "error" else 0
    error = config.features.error if descriptors != "bottleneck" else 0
    return Layout(bottleneck, error, config.audio.rate, config.audio.window)


class Extractor:
    """A loaded model: immutable, shared between threads. Made by `edgevoice.load`.

    It is pickled as what it was loaded from, and a process that unpickles it several times loads it once; `copy.copy` and
    `copy.deepcopy` give the extractor itself.
    """

    __slots__ = ("__weakref__", "_folder", "_layout", "_loaded_as", "_local", "_networks", "_pipeline")

    def __init__(
        self,
        folder: ModelFolder,
        device: str,
        threads: int,
        descriptors: Descriptors,
        session_options: SessionOptions | None = None,
    ) -> None:
        config = folder.config
        if config.batch_statistics:
            raise ModelUseError(
                f"model {config.name!r} computes all windows of a recording together, as DisVoice does: use "
                "edgevoice.compat.disvoice.RepLearning"
            )
        find_level(None, config.level)
        self._folder = folder
        self._loaded_as = (folder, device, threads, descriptors, tuple(sorted((session_options or {}).items())))
        decoder = descriptors != "bottleneck"
        self._networks = Networks(folder, device, threads, decoder, options=session_options)
        self._layout = layout_of(config, descriptors)
        front_end = FrontEnd(config.spectrogram, config.audio)
        self._pipeline = Pipeline(self._networks, front_end, self._layout, find_device(device).provider.batch)
        self._local = threading.local()

    def __repr__(self) -> str:
        return f"<Extractor {self.config.name} {self.config.version} on {self.device}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded_once, self._loaded_as

    def __copy__(self) -> Extractor:
        return self

    def __deepcopy__(self, _: object) -> Extractor:
        return self

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
    def concurrency(self) -> int:
        """How many computations can run at the same time without waiting for each other, 1 or more.

        On the CPU the cores that the process may use, divided by the threads of one computation; on devices where one
        computation uses all of it, 1.
        """
        _, device, threads, _, _ = self._loaded_as
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
        known, layout = self.config.typical, self._layout
        if known is None:
            return None
        first = 0 if layout.bottleneck else self.config.features.bottleneck
        columns = slice(first, first + layout.bottleneck + layout.error)
        return Typical(np.array(known.mean[columns], np.float32), np.array(known.spread[columns], np.float32))

    @property
    def batches(self) -> bool:
        """Whether several windows are computed in one run; False where the bits of a window would depend on its batch."""
        return self._networks.runs_at_once(self._pipeline.batch)

    def stream(
        self,
        rate: int | None = None,
        channels: int = 1,
        *,
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | None = None,
        group: StreamGroup | None = None,
    ) -> Stream:
        """Make a stream for one live source.

        Args:
            rate: sampling rate of what will be pushed, in hertz; the model's if None.
            channels: how many each chunk has.
            level: `running`, `window` or a fixed gain; the model's own if None.
            hop: seconds between windows, a multiple of the level's step; the model's own if None.
            channel: the one to use, from 0 up; their mean if None.
            group: one of this extractor's groups, which computes the windows of its streams together.

        Raises:
            ModelUseError: the level `utterance` needs the whole audio at once.
            ArgumentError: an argument is outside what is allowed.
        """
        chosen = find_level(level, self.config.level)
        if chosen.needs_whole:
            raise ModelUseError(
                f"level {chosen.name!r} needs the whole audio before its first window: a stream accepts 'running', 'window' "
                "or a fixed gain"
            )
        if group is None:
            return self._stream(Direct(self._pipeline), chosen, hop, rate, channels, channel)
        if not isinstance(group, StreamGroup) or group.pipeline is not self._pipeline:
            raise ArgumentError("group: expected one that this extractor made, extractor.group()")
        member = group.member()
        stream = self._stream(member, chosen, hop, rate, channels, channel)
        member.belong_to(stream)
        return stream

    def group(self) -> StreamGroup:
        """Make a group for many live sources in one thread, whose windows are computed together: see `stream(group=...)`."""
        return StreamGroup(self._pipeline)

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
        workers: int | None = None,
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
            workers: how many batches of windows are computed at the same time, each on the CPU threads that the model was
                loaded with: one for each usable core if None, 8 at most. 1 keeps all in the calling thread, as do devices
                other than the CPU.
            progress: called with the seconds of audio read since its last call.

        Raises:
            AudioError: the audio is missing, damaged, cut short, not finite, or shorter than one window.
            DeviceError: computing it failed.
            ArgumentError: an argument is outside what is allowed.
        """
        chosen = find_level(level, self.config.level)
        self._hop(hop)
        workers = self._workers(workers)
        with ExitStack() as stack:
            source = stack.enter_context(open_source(audio, start, end, channel))
            if chosen.needs_whole:
                chosen = self._settled(chosen, source, channel)
            several = stack.enter_context(Concurrent(self._pipeline, workers)) if workers > 1 else None
            analysis = several or Filled(self._pipeline)
            stream = self._stream(analysis, chosen, hop, source.rate, source.channels, channel)
            peak = _Peak()
            features = Features.join(_fed(stream, source, pad, progress, peak), self.layout)
            if not len(features):
                raise AudioTooShortError(f"{source.name}: {self._too_short(stream, source)}")
            if channel is None and peak.value >= SILENCE and features.silent.all():
                _warn_of_opposed_channels(source)
            extent = (source.first / source.rate, (source.first + stream.position) / source.rate)
            moved = round(source.first * self.config.audio.rate / source.rate)
        recipe = self.recipe(level=level, hop=hop, channel=channel, pad=pad)
        return replace(features, position=features.position + moved, source=source.name, extent=extent, recipe=recipe)

    def recipe(
        self,
        *,
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | str | None = None,
        pad: bool = False,
    ) -> Recipe:
        """The recipe of what `extract` gives with these arguments."""
        return Recipe.of(
            self.config,
            device=self.device,
            descriptors=self._loaded_as[3],
            level=level,
            hop=hop,
            channel=channel,
            pad=pad,
        )

    def table(
        self,
        index: IndexSource,
        *,
        root: str | os.PathLike[str] | None = None,
        static: bool = False,
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | str | None = None,
        pad: bool = False,
        jobs: int | None = None,
        progress: Callable[[int], object] | None = None,
        dataset: str | os.PathLike[str] | None = None,
    ) -> Any:
        """Compute the features of a corpus as a `pandas.DataFrame` with an audformat index: `file`, `start` and `end`.

        Rows have the numbers that `extract` gives for the same file, start, end and channel. Those that fail are left out:
        a warning counts them, `attrs["failed"]` lists them with their reasons; `attrs["recipe"]` is what made the table.

        Args:
            index: the recordings to read, as for `edgevoice.corpus.index.read_index`. Its other columns come last.
            root: the folder to which relative files and the column `file` are relative.
            static: one row with functionals per row of the index, instead of one row per frame.
            level: as `extract`.
            hop: as `extract`.
            channel: as `extract`; `each` gives the rows of every channel, with a column `channel`.
            pad: as `extract`.
            jobs: how many computations run at the same time: one per usable core if None.
            progress: called with the number of rows of the index that are done.
            dataset: a folder of Parquet parts, as `edgevoice extract -o NAME.parquet/` makes it. Complete parts stay there,
                also after Ctrl-C, and the same call resumes; the table is read from it. None keeps everything in memory.

        Raises:
            ArgumentError: an argument is outside what is allowed, or the index cannot be used.
            AudioFileNotFoundError: the folder, or the index, is not there.
            DeviceError: computing failed.
            MissingPackageError: pandas is not installed, or pyarrow, where there is a dataset.
            OutputError: the dataset cannot be written.
        """
        from edgevoice.corpus.run import Reading
        from edgevoice.corpus.table import corpus_frame

        return corpus_frame(self, index, root, static, Reading(level, hop, channel, pad), jobs, progress, dataset)

    def encode(self, window: NDArray[Any]) -> Array:
        """Compute the bottleneck of windows that are at the model's level already: the shortest way through the encoder.

        Args:
            window: (window,) or (n, window), dtypes as `Stream.push`.

        Returns:
            float32 (n, units); n is 1 for a single window.

        Raises:
            SamplesError: wrong dtype or shape, NaN or infinity.
        """
        return self._each(window, lambda workspace, count: workspace.bottleneck(count))

    def spectrogram(self, window: NDArray[Any]) -> Array:
        """Compute standardised spectrograms of windows at the model's level: float32 (n, bands, columns).

        Raises:
            SamplesError: as `encode`.
        """
        return self._each(window, lambda workspace, count: workspace.spectrograms(count))

    def reconstruct(self, window: NDArray[Any]) -> Array:
        """Decode the bottleneck of windows to standardised spectrograms: float32 (n, bands, columns).

        Raises:
            SamplesError: as `encode`.
            ModelUseError: only the bottleneck was loaded.
        """
        if not self.layout.error:
            raise ModelUseError("the decoder was not loaded: load(..., descriptors='all')")
        return self._each(window, lambda workspace, count: workspace.reconstructions(count))

    def describe(self, window: NDArray[Any]) -> Array:
        """Compute the descriptors of windows at the model's level: float32 (n, descriptors), like rows of `extract`.

        Raises:
            SamplesError: as `encode`.
        """
        return self._each(window, lambda workspace, count: workspace.descriptors(count))

    def _stream(
        self,
        analysis: Analysis,
        level: Level,
        hop: float | None,
        rate: int | None,
        channels: int,
        channel: int | None,
    ) -> Stream:
        windower = Windower(self.config, level, self._hop(hop), self._pipeline.batch)
        rate = self.config.audio.rate if rate is None else rate
        return Stream(windower, analysis, self._layout, rate, channels, channel)

    def _settled(self, level: Level, source: AudioSource, channel: int | None) -> Level:
        """Settle a level by all samples of a recording at the model's rate, including its tail."""
        count, total, low, high = 0, 0.0, np.inf, -np.inf
        for samples in resampled(source, self.config.audio.rate, channel):
            if len(samples):
                count += len(samples)
                total += float(np.add.reduce(samples.astype(np.float64)))
                low, high = min(low, float(samples.min())), max(high, float(samples.max()))
        return level.settled(total / count, low, high) if count else level

    def _workers(self, asked: int | None) -> int:
        """The number of batches that `extract` computes at the same time."""
        asked = None if asked is None else whole_number("workers", asked, 1, _MOST)
        if not find_device(self.device).provider.concurrent:
            return 1
        return min(self.concurrency, _MOST_WORKERS) if asked is None else asked

    def _each(self, window: NDArray[Any], compute: Callable[[Workspace, int], Array]) -> Array:
        """Call `compute` for windows, batch by batch, with the workspace of this thread; join the results."""
        windows, local = self._windows(window), self._local
        if not hasattr(local, "workspace"):
            local.workspace = self._pipeline.workspace()
        workspace: Workspace = local.workspace
        results = []
        for first in range(0, len(windows), workspace.size):
            batch = windows[first : first + workspace.size]
            workspace.put(0, batch)
            results.append(compute(workspace, len(batch)))
        return results[0] if len(results) == 1 else np.concatenate(results)

    def _windows(self, window: NDArray[Any]) -> Array:
        """Check the windows: (n, window)."""
        size = self.config.audio.window
        if not isinstance(window, np.ndarray):
            raise SamplesError(f"windows have the type {type(window).__name__} and no shape, expected a NumPy array")
        shape = window.shape
        if not shape or len(shape) > 2 or shape[-1] != size or shape[0] == 0:
            raise SamplesError(f"windows have the shape {shape}, expected ({size},) or (n, {size})")
        return check_samples(window.reshape(-1)).reshape(-1, size)

    def _too_short(self, stream: Stream, source: AudioSource) -> str:
        audio = self.config.audio
        if not stream.position:
            return f"has no samples from {source.first / source.rate:g} s on" if source.first else "has no samples"
        return (
            f"has {stream.position / stream.rate:.3f} s, less than one window of {audio.window / audio.rate:g} s; pad fills "
            "it up with zeros"
        )

    def _hop(self, seconds: float | None) -> int:
        audio, step = self.config.audio, self.config.level.step
        if seconds is None:
            return audio.hop
        if not is_number(seconds) or not 0 < seconds < 3600:
            raise ArgumentError(f"hop {seconds!r}: expected seconds, above 0 and below 3600")
        samples = round(seconds * audio.rate)
        if samples == 0 or samples % step or abs(samples - seconds * audio.rate) > 1e-6 * audio.rate:
            raise ArgumentError(f"hop {seconds}: expected a multiple of {step / audio.rate:g} s, the step of the level")
        return samples


def _warn_of_opposed_channels(source: AudioSource) -> None:
    warnings.warn(
        f"{source.name}: the mean of its {source.channels} channels is silence, though they are not: one may be inverted; "
        "choose one of them (channel=0, --channel 0)",
        EdgeVoiceWarning,
        stacklevel=3,  # where `extract` was called
    )


_loading = threading.Lock()


def _loaded_once(*loaded_as: Any) -> Extractor:
    """Load what a pickled extractor was loaded from, once per process."""
    with _loading:
        return _loaded(*loaded_as)


@lru_cache(maxsize=4)
def _loaded(
    folder: ModelFolder, device: str, threads: int, descriptors: Descriptors, options: tuple[tuple[str, Any], ...]
) -> Extractor:
    return Extractor(folder, device, threads, descriptors, dict(options))


class _Peak:
    """The largest sample over all channels of a source that has several."""

    value = 0.0


def _fed(
    stream: Stream, source: AudioSource, pad: bool, progress: Callable[[float], object] | None, peak: _Peak
) -> Iterator[Features]:
    """The features of a whole source, from a stream."""
    for block in source.blocks():
        if source.channels > 1 and len(block):
            peak.value = max(peak.value, float(block.max()))
        yield stream.push(block)
        if progress:
            progress(len(block) / source.rate)
    yield stream.finish(pad=pad)
