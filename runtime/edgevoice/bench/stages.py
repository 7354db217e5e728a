"""The operations that are timed: single stages, and the calls that users make."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgevoice.bench.timing import Call
from edgevoice.extractor import Extractor
from edgevoice.features import Features
from edgevoice.frontend import FrontEnd
from edgevoice.sessions import open_session
from edgevoice.stream import Stream

_BATCHES = (8, 64)


def stage_calls(
    extractor: Extractor, samples: NDArray[np.float32], threads: int, level: str | float, hop: float | None
) -> list[Call]:
    """The operations on one window, in order.

    `fft` is the bare FFT of the front end, `encoder` and `decoder` are bare runs of the networks; the others are made
    through the public interface.

    Args:
        extractor: a loaded model.
        samples: (samples,) at the model's rate, at least one window; what is played again and again to the live streams.
        threads: those that the extractor was loaded with.
        level: of the live streams.
        hop: of the live streams, in seconds; None is the model's.
    """
    config = extractor.config
    window = samples[: config.audio.window]
    image = extractor.spectrogram(window)[:, None]
    spectrogram = FrontEnd(config.spectrogram, config.audio)
    scratch, out = spectrogram.scratch(), np.empty((1, *spectrogram.shape), np.float32)
    columns = np.random.default_rng(0).standard_normal(scratch.segments.shape)
    encoder = open_session(extractor.folder, "encoder.onnx", extractor.device, threads)
    images = {"spectrogram": image}
    encode = partial(encoder.run, ["bottleneck"], images)
    calls = [
        Call("fft", lambda: np.fft.rfft(columns)),
        Call("front end", lambda: spectrogram.compute(window[None], 0.01, 2.0, scratch, out)),
        Call("encoder", encode),
    ]
    if extractor.layout.error:
        decoder = open_session(extractor.folder, "decoder.onnx", extractor.device, threads)
        decode = partial(decoder.run, ["error"], {"bottleneck": encode()[0], **images})
        calls.append(Call("decoder", decode))
    last, whole = LivePushes(extractor, samples, level, hop), LivePushes(extractor, samples, level, hop)
    return [
        *calls,
        Call("encode()", lambda: extractor.encode(window)),
        Call("describe()", lambda: extractor.describe(window)),
        Call("push with a frame", last.push, last.wait),
        Call("live, all pushes of a hop", whole.hop),
    ]


def batch_calls(extractor: Extractor, samples: NDArray[np.float32], level: str | float, hop: float | None) -> list[Call]:
    """The operations on many windows: `describe` of batches of 8 and 64, and `extract` of all samples."""
    config = extractor.config
    windows = np.lib.stride_tricks.sliding_window_view(samples, config.audio.window)[:: config.audio.hop]
    calls = []
    for size in _BATCHES:
        batch = np.resize(windows, (size, config.audio.window))
        calls.append(Call(f"describe() of {size}", partial(extractor.describe, batch), windows=size))

    def extract() -> Features:
        return extractor.extract((samples, config.audio.rate), level=level, hop=hop, jobs=1)

    return [*calls, Call("extract()", extract, windows=len(extract()))]


class LivePushes:
    """A stream that is pushed one step at a time (50 ms at 16 kHz for most models); the samples repeat without end."""

    def __init__(self, extractor: Extractor, samples: NDArray[np.float32], level: str | float, hop: float | None) -> None:
        audio, step = extractor.config.audio, extractor.config.level.step
        self._stream: Stream = extractor.stream(level=level, hop=hop)
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
