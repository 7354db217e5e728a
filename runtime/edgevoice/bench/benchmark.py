"""One whole measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgevoice.bench.listening import listen
from edgevoice.bench.livestreams import LiveStreams, Load
from edgevoice.bench.machine import Machine, load_average
from edgevoice.bench.report import Check, Report
from edgevoice.bench.timing import Call, time_calls
from edgevoice.errors import ProviderError
from edgevoice.extractor import Extractor
from edgevoice.extractor import load as load_model
from edgevoice.frontend import FrontEnd
from edgevoice.levels import live_option
from edgevoice.providers import find_device
from edgevoice.sessions import open_session

TOLERANCE = 1e-4
"""Largest difference between a device and the CPU, relative to the largest descriptor."""
_WINDOWS_PER_EXTRACT = 32
_BATCHES = (8, 64)
_LISTENING = 30.0


@dataclass(frozen=True)
class Settings:
    """What is measured, and how often."""

    threads: int = 1
    """Those that the extractor was loaded with."""
    rounds: int = 1000
    """Times taken of each stage."""
    streams: int = 0
    """Threads to hold as many live streams as possible with, for about a minute; 0 leaves that out."""
    level: str | float | None = None
    """None is the model's own, or a live one where that needs the whole audio."""
    hop: float | None = None
    """Seconds; None is the model's."""
    microphone: str | None = None
    """Listen to this one too, for half a minute: an index or a name, an empty one is the system's default."""


def run_benchmark(
    extractor: Extractor, settings: Settings, progress: Callable[[str, float], object] = lambda _, __: None
) -> Report:
    """Check a loaded model's numbers, then time it.

    Args:
        extractor: the model, on its device.
        settings: what is measured.
        progress: called with what is being done, and what has been done since the last call, in percent.

    Raises:
        ProviderError: the device gives other numbers than the CPU, or a stream others than `extract`; nothing is timed then.
    """
    config, folder, threads = extractor.config, extractor.folder, settings.threads
    level = live_option(config.level) if settings.level is None else settings.level
    level = config.level.default if level is None else level
    before = Machine.this()
    progress("check", 0)
    samples = noise(config.audio.window + (_WINDOWS_PER_EXTRACT - 1) * config.audio.hop)
    check = check_numbers(extractor, samples, level)
    playing = Load(extractor, samples, level, settings.hop)
    calls = stage_calls(playing, threads)
    timings = time_calls(calls, settings.rounds, progress=lambda count: progress("stages", 80 * count / settings.rounds))
    if settings.microphone is not None:
        name = settings.microphone
        progress("microphone", 0)
        timings |= listen(playing, int(name) if name.isdecimal() and len(name) < 10 else name or None, _LISTENING)
    progress("extract", 0)
    batches = batch_calls(playing)
    timings |= time_calls(batches, max(3, settings.rounds // 20), warm_up=1)
    report = Report(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=before,
        model=f"{config.name} {config.version}",
        device=extractor.device,
        threads=threads,
        hop=config.audio.hop / config.audio.rate if settings.hop is None else settings.hop,
        level=level,
        timings=timings,
        files=dict(config.files),
        check=check,
        model_size=sum((folder.path / name).stat().st_size for name in config.files),
    )
    if settings.streams:
        progress("streams", 0)
        expected = max(1, round(settings.streams * report.streams))
        report = replace(report, live=LiveStreams.measure(playing, expected=expected, threads=settings.streams))
    progress("done", 20)
    return replace(report, load_after=load_average())


def check_numbers(extractor: Extractor, samples: NDArray[np.float32], level: str | float) -> Check:
    """Compare a device with the CPU, and a stream with `extract`, on samples (samples,) at the model's rate.

    Raises:
        ProviderError: they differ by more than they may.
    """
    audio, provider = extractor.config.audio, find_device(extractor.device).provider
    windows = np.lib.stride_tricks.sliding_window_view(samples, audio.window)[:: audio.hop][:8]
    described, distance = extractor.describe(windows), 0.0
    if extractor.device != "cpu":
        reference = load_model(extractor.folder, descriptors=extractor.recipe().descriptors)  # type: ignore[arg-type]
        expected = reference.describe(windows)
        distance = float(np.abs(described - expected).max() / np.abs(expected).max())
    if distance > TOLERANCE:
        raise ProviderError(f"{extractor}: differs from the CPU by {distance:.1e} of the largest value, over {TOLERANCE:g}")
    offline = extractor.extract((samples, audio.rate), level=level)
    stream = extractor.stream(level=level)
    chunks = np.array_split(samples, len(samples) // 777 + 1)
    pushed = np.concatenate([*(stream.push(chunk).values for chunk in chunks), stream.finish().values])
    live = pushed.tobytes() == offline.values.tobytes()
    if provider.exact and not live:
        raise ProviderError(f"{extractor}: a stream does not give the bits of extract")
    return Check(distance, live, extractor.batches)


def noise(count: int) -> NDArray[np.float32]:
    """White noise (count,) with a tenth of full scale, the same at every call."""
    return (0.1 * np.random.default_rng(0).standard_normal(count)).astype(np.float32)


def stage_calls(load: Load, threads: int) -> list[Call]:
    """The operations on one window, in order; `threads` are those that the extractor was loaded with.

    `fft` is the bare FFT of the front end, `encoder` and `decoder` are bare runs of the networks; the others are made
    through the public interface.
    """
    extractor, samples, config = load.extractor, load.samples, load.extractor.config
    window = samples[: config.audio.window]
    image = extractor.spectrogram(window)[:, None]
    spectrogram = FrontEnd(config.spectrogram, config.audio)
    out = np.empty((1, *spectrogram.shape), np.float32)
    columns = np.random.default_rng(0).standard_normal((spectrogram.shape[1], config.spectrogram.fft))
    encoder = open_session(extractor.folder, "encoder.onnx", extractor.device, threads)
    images = {"spectrogram": image}
    encode = partial(encoder.run, ["bottleneck"], images)
    calls = [
        Call("fft", lambda: np.fft.rfft(columns)),
        Call("front end", lambda: spectrogram.compute(window[None], 0.01, 2.0, out)),
        Call("encoder", encode),
    ]
    if extractor.layout.error:
        decoder = open_session(extractor.folder, "decoder.onnx", extractor.device, threads)
        decode = partial(decoder.run, ["error"], {"bottleneck": encode()[0], **images})
        calls.append(Call("decoder", decode))
    last, whole = LivePushes(load), LivePushes(load)
    return [
        *calls,
        Call("encode()", lambda: extractor.encode(window)),
        Call("describe()", lambda: extractor.describe(window)),
        Call("push with a frame", last.push, last.wait),
        Call("live, all pushes of a hop", whole.hop),
    ]


def batch_calls(load: Load) -> list[Call]:
    """The operations on many windows: `describe` of batches of 8 and 64, and `extract` of all samples."""
    extractor, samples, config = load.extractor, load.samples, load.extractor.config
    windows = np.lib.stride_tricks.sliding_window_view(samples, config.audio.window)[:: config.audio.hop]
    calls = []
    for size in _BATCHES:
        batch = np.resize(windows, (size, config.audio.window))
        calls.append(Call(f"describe() of {size}", partial(extractor.describe, batch), windows=size))

    extract = partial(extractor.extract, (samples, config.audio.rate), level=load.level, hop=load.hop, jobs=1)
    return [*calls, Call("extract()", extract, windows=len(extract()))]


class LivePushes:
    """A stream that is pushed one step at a time (50 ms at 16 kHz for most models); the samples repeat without end."""

    def __init__(self, load: Load) -> None:
        samples, hop, audio, step = load.samples, load.hop, load.extractor.config.audio, load.extractor.config.level.step
        self._stream = load.extractor.stream(level=load.level, hop=hop)
        self._chunks = [samples[at : at + step] for at in range(0, len(samples) - step + 1, step)]
        self._next = 0
        self._pushes = round((audio.hop if hop is None else hop * audio.rate) / step)
        for _ in range(audio.window // step):
            self.push()

    def push(self) -> None:
        """Push one step; the last one of a hop gives a frame."""
        self._stream.push(self._chunks[self._next])
        self._next = (self._next + 1) % len(self._chunks)

    def wait(self) -> None:
        """Push all steps of a hop except the last; none of them completes a window."""
        for _ in range(self._pushes - 1):
            self.push()

    def hop(self) -> None:
        """Push a whole hop."""
        self.wait()
        self.push()
