"""A reference implementation: the definition of the features written out, with the networks run operator by operator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice.errors import ProviderError
from edgevoice.extractor import Extractor
from edgevoice.frontend import hann, mel_filters
from edgevoice.levels import live_option
from edgevoice.providers import find_device
from edgevoice.sessions import load_onnxruntime, open_session

TOLERANCE = 1e-4
"""Largest difference of a descriptor, relative to the largest of its group. Float32 sums in another order stay below
it.
"""
TOLERANCE_OF_8_BITS = 0.05
"""The same for a model with 8-bit weights, where ONNX Runtime also rounds the inputs of products and the reference does
not.
"""


@dataclass(frozen=True)
class Check:
    """The differences between an extractor and the reference."""

    spectrogram: float
    """Largest difference of a standardised spectrogram value."""
    bottleneck: float
    """Largest difference, relative to the largest value."""
    error: float
    """The same for the errors; 0 where no errors were asked for."""
    live: bool
    """Whether a stream gives the same bits as `extract`."""

    @classmethod
    def of(cls, extractor: Extractor, samples: NDArray[np.float32]) -> Check:
        """Compare on the windows of samples (samples,) at the model's rate.

        Raises:
            ProviderError: a difference is larger than the tolerance, or a stream and `extract` differ on the CPU.
        """
        config, layout = extractor.config, extractor.layout
        windows = np.lib.stride_tricks.sliding_window_view(samples, config.audio.window)[:: config.audio.hop][:8]
        expected = np.stack([reference_spectrogram(config, window) for window in windows])
        images = expected[:, None].astype(np.float32)
        bottleneck, error = _unoptimised(extractor, images)
        described = extractor.describe(windows)
        check = cls(
            spectrogram=float(np.abs(extractor.spectrogram(windows) - expected).max()),
            bottleneck=_relative(described[:, : layout.bottleneck], bottleneck) if layout.bottleneck else 0.0,
            error=_relative(described[:, layout.bottleneck :], error) if layout.error else 0.0,
            live=_is_live(extractor, samples),
        )
        tolerance = TOLERANCE_OF_8_BITS if "compact" in config.origin else TOLERANCE
        if not np.max([check.spectrogram / TOLERANCE, check.bottleneck / tolerance, check.error / tolerance]) <= 1:
            # NaN comes here too.
            raise ProviderError(f"{extractor}: differs from the reference by more than {tolerance:g}: {check!r}")
        if check.live is False and find_device(extractor.device).provider.exact:
            raise ProviderError(f"{extractor}: a stream does not give the bits of extract")
        return check


def reference_spectrogram(config: ModelConfig, window: NDArray[np.floating]) -> NDArray[np.float64]:
    """The standardised spectrogram (bands, columns) of one window at the model's level, computed in float64."""
    settings = config.spectrogram
    first, last = settings.trim
    padded = np.pad(window[first : len(window) - last].astype(np.float64), settings.padding)
    columns = np.lib.stride_tricks.sliding_window_view(padded, settings.fft)[:: settings.step]
    spectrum = np.abs(np.fft.rfft(columns * hann(settings.fft) if settings.taper == "hann" else columns))
    values = spectrum**2 if settings.spectrum == "power" else spectrum
    if settings.bands.scale == "bins":
        bands = values.T[: settings.bands.count]
    else:
        bands = mel_filters(settings.bands, config.audio.rate, settings.fft) @ values.T
    if settings.logarithm:
        bands = np.log(np.maximum(bands, settings.logarithm.floor))
    return (np.pad(bands, ((0, 0), (0, settings.blank))) + settings.offset) / settings.divisor


def _unoptimised(extractor: Extractor, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    level = load_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
    options = {"graph_optimization_level": level, "session.disable_prepacking": "1"}
    names = ("encoder.onnx", "decoder.onnx")
    encoder, decoder = (open_session(extractor.folder, name, options=options) for name in names)
    (bottleneck,) = encoder.run(["bottleneck"], {"spectrogram": images})
    (error,) = decoder.run(["error"], {"bottleneck": bottleneck, "spectrogram": images})
    return bottleneck, error


def _relative(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _is_live(extractor: Extractor, samples: NDArray[np.float32]) -> bool:
    level = live_option(extractor.config.level)
    offline = extractor.extract((samples, extractor.config.audio.rate), level=level)
    stream = extractor.stream(level=level)
    chunks = np.array_split(samples, len(samples) // 777 + 1)
    values = [*(stream.push(chunk).values for chunk in chunks), stream.finish().values]
    return np.concatenate(values).tobytes() == offline.values.tobytes()
