"""One whole measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from edgevoice.bench.listening import listen
from edgevoice.bench.livestreams import Load, hold_streams
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
_LISTENING = 30.0


def run_benchmark(
    extractor: Extractor,
    *,
    threads: int = 1,
    rounds: int = 1000,
    streams: int = 0,
    level: str | float | None = None,
    hop: float | None = None,
    microphone: str | None = None,
    progress: Callable[[str, float], object] = lambda _, __: None,
) -> Report:
    """Check a loaded model's numbers, then time it.

    Args:
        extractor: the model, on its device.
        threads: those that it was loaded with.
        rounds: times taken of each stage.
        streams: threads to hold as many live streams as possible with, for about a minute; 0 leaves that out.
        level: None is the model's own, or a live one where that needs the whole audio.
        hop: seconds; None is the model's.
        microphone: listen to this one too, for half a minute: an index or a name, an empty one is the system's default.
        progress: called with what is being done, and what has been done since the last call, in percent.

    Raises:
        ProviderError: the device gives other numbers than the CPU, or a stream others than `extract`; nothing is timed then.
    """
    config, before = extractor.config, Machine.this()
    level = live_option(config.level) if level is None else level
    level = config.level.default if level is None else level
    progress("check", 0)
    count = config.audio.window + (_WINDOWS_PER_EXTRACT - 1) * config.audio.hop
    samples = (0.1 * np.random.default_rng(0).standard_normal(count)).astype(np.float32)
    check = check_numbers(extractor, samples, level)
    load = Load(extractor, samples, level, hop)
    calls = stage_calls(load, threads)
    stages = time_calls(calls, rounds, progress=lambda count: progress("stages", 80 * count / rounds))
    if microphone is not None:
        progress("microphone", 0)
        device = int(microphone) if microphone.isdecimal() and len(microphone) < 10 else microphone or None
        stages |= listen(load, device, _LISTENING)
    progress("extract", 0)
    stages |= time_calls(batch_calls(load), max(3, rounds // 20), warm_up=1)
    report = Report(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=before,
        model=f"{config.name} {config.version}",
        device=extractor.device,
        threads=threads,
        hop_s=config.audio.hop / config.audio.rate if hop is None else hop,
        level=level,
        stages=stages,
        files=dict(config.files),
        check=check,
    )
    if streams:
        progress("streams", 0)
        expected = max(1, round(streams * report.streams_of_one_thread))
        report = replace(report, live_streams=hold_streams(load, expected, streams))
    progress("done", 20)
    return replace(report, load_after=load_average())


def check_numbers(extractor: Extractor, samples: NDArray[np.float32], level: str | float) -> Check:
    """Compare a device with the CPU, and a stream with `extract`, on samples (samples,) at the model's rate.

    Raises:
        ProviderError: they differ by more than they may.
    """
    audio, provider = extractor.config.audio, find_device(extractor.device).provider
    distance = 0.0
    if extractor.device != "cpu":
        windows = np.lib.stride_tricks.sliding_window_view(samples, audio.window)[:: audio.hop][:8]
        reference = load_model(extractor.folder, descriptors=extractor.recipe().descriptors)  # type: ignore[arg-type]
        expected = reference.describe(windows)
        distance = float(np.abs(extractor.describe(windows) - expected).max() / np.abs(expected).max())
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


def stage_calls(load: Load, threads: int) -> list[Call]:
    """The operations on one window, in order; `threads` are those that the extractor was loaded with.

    `fft` is the bare FFT of the front end, `encoder` and `decoder` are bare runs of the networks; the others are made
    through the public interface. Live streams are pushed one step at a time, 50 ms at 16 kHz for most models.
    """
    extractor, samples, config = load.extractor, load.samples, load.extractor.config
    audio, step = config.audio, config.level.step
    window = samples[: audio.window]
    front_end = FrontEnd(config.spectrogram, audio)
    out = np.empty((1, *front_end.shape), np.float32)
    columns = np.random.default_rng(0).standard_normal((front_end.shape[1], config.spectrogram.fft))
    encoder = open_session(extractor.folder, "encoder.onnx", extractor.device, threads)
    images = {"spectrogram": extractor.spectrogram(window)[:, None]}
    encode = partial(encoder.run, ["bottleneck"], images)
    calls = [
        Call("fft", lambda: np.fft.rfft(columns)),
        Call("front end", lambda: front_end.compute(window[None], 0.01, 2.0, out)),
        Call("encoder", encode),
    ]
    if extractor.layout.error:
        decoder = open_session(extractor.folder, "decoder.onnx", extractor.device, threads)
        decode = partial(decoder.run, ["error"], {"bottleneck": encode()[0], **images})
        calls.append(Call("decoder", decode))

    def pushes() -> Callable[[int], None]:
        """A new stream, to be called with a number of steps; the last one of its first window was pushed."""
        stream = extractor.stream(level=load.level, hop=load.hop)
        chunks = cycle([samples[at : at + step] for at in range(0, len(samples) - step + 1, step)])

        def push(count: int) -> None:
            for _ in range(count):
                stream.push(next(chunks))

        push(audio.window // step)
        return push

    last, whole = pushes(), pushes()
    steps = round((audio.hop if load.hop is None else load.hop * audio.rate) / step)
    return [
        *calls,
        Call("encode()", lambda: extractor.encode(window)),
        Call("describe()", lambda: extractor.describe(window)),
        Call("push with a frame", lambda: last(1), lambda: last(steps - 1)),
        Call("live, all pushes of a hop", lambda: whole(steps)),
    ]


def batch_calls(load: Load) -> list[Call]:
    """The operations on many windows: `describe` of batches of 8 and 64, and `extract` of all samples."""
    extractor, audio = load.extractor, load.extractor.config.audio
    windows = np.lib.stride_tricks.sliding_window_view(load.samples, audio.window)[:: audio.hop]
    extract = partial(extractor.extract, (load.samples, audio.rate), level=load.level, hop=load.hop, jobs=1)
    calls = []
    for size in (8, 64):
        batch = np.resize(windows, (size, audio.window))
        calls.append(Call(f"describe() of {size}", partial(extractor.describe, batch), windows=size))
    return [*calls, Call("extract()", extract, windows=len(extract()))]
