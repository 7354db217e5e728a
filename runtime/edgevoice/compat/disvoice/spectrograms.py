"""DisVoice's spectrograms of a recording, with the same order and precision of operations.

DisVoice takes the logarithm of Mel powers without a floor. Where a recording holds runs of equal samples, as digital silence
does once the mean is subtracted, the higher bands hold nothing but the rounding errors of the FFT, 1e-39, and these go
into the features. The runtime's own front end has a floor there; agreeing with DisVoice on any recording takes its
operations in its order and precision, which are those of `AEspeech.compute_spectrograms` and of librosa's `stft`.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.files import open_source
from edgevoice.config import ModelConfig
from edgevoice.errors import AudioFormatError, AudioTooShortError, SamplesError, missing
from edgevoice.frontend import mel_filters

_NATIVE = dict.fromkeys(("PCM_S8", "PCM_U8", "PCM_16"), "int16") | dict.fromkeys(("PCM_24", "PCM_32"), "int32")
_NATIVE["DOUBLE"] = "float64"
"""NumPy types that hold the samples of an encoding without loss; float32 holds all others."""


def disvoice_spectrograms(path: str, config: ModelConfig) -> NDArray[np.float32]:
    """Standardised spectrograms, float32 (n, 1, bands, columns), of the windows of a recording that DisVoice keeps.

    A window in which a Mel power is 0 is dropped, as DisVoice drops it, with a warning.
    """
    samples, rate = _read(path)
    if samples.ndim > 1:
        samples = samples.mean(1)
    if rate != config.audio.rate:
        length = int(len(samples) * config.audio.rate / rate)
        samples = needed("scipy.signal").resample(samples, length) if length else samples[:0]
    window = config.audio.window
    if len(samples) < window:
        raise AudioTooShortError(f"{path}: has {len(samples) / config.audio.rate:.3f} s, less than one window")
    samples = samples - np.mean(samples)
    peak = np.max(np.abs(samples))
    if peak == 0:
        raise SamplesError(f"{path}: every sample has the same value; DisVoice has no features of silence")
    windows = np.lib.stride_tricks.sliding_window_view(samples / peak, window)[:: config.audio.hop]
    spectrogram = _LogMel(config)
    columns = [column for k in range(len(windows)) if (column := spectrogram.compute(windows[k])) is not None]
    if not columns:
        raise SamplesError(f"{path}: every window holds digital silence; DisVoice has no features of it")
    if len(columns) < len(windows):
        dropped = len(windows) - len(columns)
        warnings.warn(f"{path}: dropped {dropped} of {len(windows)} windows, which hold digital silence", stacklevel=2)
    values: NDArray[np.float32] = np.stack(columns)[:, None]
    values += np.float32(config.spectrogram.offset)
    values /= np.float32(config.spectrogram.divisor)
    return values


def needed(module: str) -> Any:
    """Import a module of a package that DisVoice needs."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing(module.partition(".")[0], "this") from error


class _LogMel:
    """librosa's `melspectrogram` of one window, and its logarithm in float32."""

    def __init__(self, config: ModelConfig) -> None:
        spectrogram = config.spectrogram
        self._fft, self._step, self._padding = spectrogram.fft, spectrogram.step, spectrogram.padding
        # SciPy's periodic Hann window: its last bits are not those of 0.5 - 0.5 cos(2 pi n / fft).
        self._taper = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, self._fft + 1)[:-1])
        self._filters = mel_filters(spectrogram.bands, config.audio.rate, self._fft).astype(np.float32)

    def compute(self, window: NDArray[np.floating]) -> NDArray[np.float32] | None:
        """The logarithm of the Mel powers, float32 (bands, columns); None if a power is 0."""
        padded = np.pad(window, self._padding)
        columns = np.lib.stride_tricks.sliding_window_view(padded, self._fft)[:: self._step]
        spectrum = np.fft.rfft(self._taper * columns).T
        # librosa computes the spectrum of float32 recordings in float32.
        spectrum = spectrum.astype(np.complex64 if window.dtype == np.float32 else np.complex128, copy=False)
        power = self._filters @ np.abs(spectrum) ** 2
        smallest = np.finfo(np.float32).smallest_subnormal
        return np.log(power.astype(np.float32, copy=False)) if power.min() >= smallest else None


def _read(path: str) -> tuple[NDArray[np.number], int]:
    """Samples (samples,) or (samples, channels) in the precision of the file, and their rate."""
    import soundfile

    open_source(path).close()  # its errors say more than soundfile's
    try:
        encoding = soundfile.info(path).subtype
        samples, rate = soundfile.read(path, dtype=_NATIVE.get(encoding, "float32"))
    except soundfile.SoundFileError as error:
        raise AudioFormatError(f"{path}: is damaged or cut short ({error})") from error
    if encoding == "PCM_U8":
        samples = samples // 256 + 128  # the value in the file: the mean is rounded at this scale
    if not np.isfinite(samples).all():
        raise SamplesError(f"{path}: samples hold NaN or infinity")
    return samples, rate
