"""DisVoice's `AEspeech`: spectrograms, bottleneck, reconstructions and errors of a recording, by its published networks.

DisVoice takes the logarithm of Mel powers without a floor. Where a recording holds runs of equal samples, as digital silence
does once the mean is subtracted, the higher bands hold nothing but the rounding errors of the FFT, 1e-39, and these go
into the features. The runtime's own front end has a floor there; agreeing with DisVoice on any recording takes its
operations in its order and precision, which are those of `AEspeech.compute_spectrograms` and of librosa's `stft`.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.files import open_source
from edgevoice.config import ModelConfig
from edgevoice.errors import (
    ArgumentError,
    AudioFileNotFoundError,
    AudioFormatError,
    AudioTooShortError,
    DeviceMemoryError,
    ModelNotFoundError,
    SamplesError,
    missing,
)
from edgevoice.features import Layout, functionals
from edgevoice.files import PathLike
from edgevoice.frontend import mel_corners, mel_filters
from edgevoice.inference import Networks
from edgevoice.modelfolder import find_model
from edgevoice.plotting.timeaxis import draw_image, label_hertz

Floats = NDArray[np.float32]

MODELS = ("CAE", "RAE")

_BATCH = 64  # largest number of windows computed together, where they do not depend on each other

_NATIVE = dict.fromkeys(("PCM_S8", "PCM_U8", "PCM_16"), "int16") | dict.fromkeys(("PCM_24", "PCM_32"), "int32")
_NATIVE["DOUBLE"] = "float64"
"""NumPy types that hold the samples of an encoding without loss; float32 holds all others."""


class AEspeech:
    """DisVoice's `AEspeech`: the same methods that compute, names and numbers, within 1e-4, absolute or relative.

    Recordings that cannot be used raise an AudioError: missing, damaged, shorter than one window, or digital silence
    throughout.

    Args:
        model: `CAE`, convolutional, or `RAE`, recurrent.
        units: numbers of the bottleneck; DisVoice published networks of 256.

    Raises:
        ArgumentError: another name.
        ModelNotFoundError: DisVoice's weights have not been imported, or there are none of this size.
    """

    def __init__(self, model: str, units: int = 256) -> None:
        if model not in MODELS:
            raise ArgumentError(f"model {model!r}: expected {' or '.join(MODELS)}")
        try:
            folder = find_model(f"disvoice-{model.lower()}-{units}")
        except ModelNotFoundError as error:
            raise ModelNotFoundError(
                f"{error}. Import DisVoice's weights: pip install --no-deps disvoice==0.1.10, then "
                "edgevoice-export import-disvoice (which needs the extra 'export')"
            ) from error
        self.config = folder.config
        self._networks = Networks(folder, whole_batches=self.config.batch_statistics)
        self.AE = Autoencoder(self._networks)
        """The network, for tensors."""
        self.units = self.config.features.bottleneck
        """The size of the bottleneck."""
        self.layout = Layout.of(self.config)
        """Names of the descriptors."""

    def compute_spectrograms(self, wav_file: PathLike) -> Any:
        """Natural logarithm of the Mel power of each window that DisVoice keeps: float32 (windows, 1, 128, 126).

        A tensor, or an array where PyTorch is not installed.
        """
        values = np.asarray(self.destandard(self._compute(wav_file, lambda spectrograms: spectrograms)), np.float32)
        return given(values, return_numpy=find_spec("torch") is None)

    def standard(self, tensor: Any) -> Any:
        """Standardise spectrograms as the networks expect them: an array or a tensor of any shape, float32."""
        scaled = (tensor + self.config.spectrogram.offset) / self.config.spectrogram.divisor
        return scaled.astype(np.float32) if isinstance(scaled, np.ndarray) else scaled.float()

    def destandard(self, tensor: Any) -> Any:
        """Undo `standard`."""
        return tensor * self.config.spectrogram.divisor - self.config.spectrogram.offset

    def compute_bottleneck_features(self, wav_file: PathLike, return_numpy: bool = True) -> Any:
        """Bottleneck of each window: float32 (windows, units), an array or a tensor."""
        return given(self._compute(wav_file, self._networks.encode), return_numpy)

    def compute_rec_error_features(self, wav_file: PathLike, return_numpy: bool = True) -> Any:
        """Reconstruction error of each band and window: float32 (windows, 128)."""
        return given(self.describe(wav_file)[:, self.units :], return_numpy)

    def compute_rec_spectrogram(self, wav_file: PathLike, return_numpy: bool = True) -> tuple[Any, Any]:
        """Reconstructions as logarithms, and the standardised spectrograms: float32 (windows, 1, 128, 126) each."""
        rebuilt, spectrograms = self._rebuilt(wav_file)
        return given(np.asarray(self.destandard(rebuilt), np.float32), return_numpy), given(spectrograms, return_numpy)

    def plot_spectrograms(self, wav_file: PathLike) -> None:
        """Show the standardised spectrograms of a recording, what the decoder makes of them, and the errors of bands."""
        plt, audio = needed("matplotlib.pyplot"), self.config.audio
        # Windows overlap: those that follow each other without an overlap are drawn side by side.
        stride = max(1, audio.window // audio.hop)
        after, before = (np.concatenate(images[::stride, 0], axis=1) for images in self._rebuilt(wav_file))
        seconds = before.shape[1] / self.config.columns * audio.window / audio.rate
        _, panels = plt.subplots(2, 1, sharex=True, figsize=(8, 4), layout="constrained")
        for panel, image, title in zip(panels, (before, after), ("Input spectrogram", "Decoded spectrogram"), strict=True):
            draw_image(panel, image, (0, seconds), (image.min(), image.max()), "viridis")
            label_hertz(panel, self.config.spectrogram.bands)
            panel.set_title(title)
        panels[-1].set_xlabel("Time (s)")

        squared, centres = (before - after) ** 2, mel_corners(self.config.spectrogram.bands)[1:-1]
        mean, deviation = squared.mean(axis=1), squared.std(axis=1)
        _, panel = plt.subplots(figsize=(5, 4), layout="constrained")
        panel.plot(centres, mean, color="black")
        panel.fill_between(centres, mean - deviation, mean + deviation, color="black", alpha=0.2)
        panel.set(xlabel="Frequency (Hz)", ylabel="Mean squared reconstruction error")
        panel.grid(visible=True)
        plt.show()

    def compute_dynamic_features(self, wav_directory: PathLike) -> dict[str, Any]:
        """Of every window of a folder's files, by name: `wav_file`, `frame` (its number), `bottleneck` and `error`."""
        names = files_of(wav_directory)
        rows = [self.describe(Path(wav_directory, name)) for name in names]
        frames = np.concatenate([np.arange(len(block)) for block in rows])
        parts = self.layout.split(np.concatenate(rows))
        return {"wav_file": np.repeat(names, [len(block) for block in rows]), "frame": frames, **parts}

    def compute_global_features(self, wav_directory: PathLike, stack_feat: bool = False) -> Any:
        """Functionals of a folder's files: data frames of the bottleneck, the error and, with `stack_feat`, of both.

        The first column is `ID`; the mean is called `avg`.
        """
        names, border = files_of(wav_directory), 4 * self.units
        values = np.array([self.functionals(self.describe(Path(wav_directory, name))) for name in names])
        columns = [name.replace("mean_", "avg_") for name in self.layout.functional_names]
        tables = []
        for part in (np.s_[:border], np.s_[border:], np.s_[:])[: 3 if stack_feat else 2]:
            tables.append(needed("pandas").DataFrame(values[:, part], columns=columns[part]))
            tables[-1].insert(0, "ID", names)
        return tuple(tables)

    def describe(self, wav_file: PathLike) -> Floats:
        """Bottleneck and errors of each window: float32 (windows, units + 128)."""
        return self._compute(wav_file, self._descriptors)

    def functionals(self, values: Floats) -> Floats:
        """What `describe` gave, as one vector: the functionals of the bottleneck, then those of the errors."""
        return np.concatenate([functionals(part) for part in self.layout.split(values).values()])

    def _descriptors(self, spectrograms: Floats) -> Floats:
        bottleneck = self._networks.encode(spectrograms)
        return np.concatenate([bottleneck, self._networks.decode("error", bottleneck, spectrograms)], axis=1)

    def _rebuilt(self, wav_file: PathLike) -> tuple[Floats, Floats]:
        """What the decoder makes of the spectrograms, and these, standardised both."""
        decode, encode = self._networks.decode, self._networks.encode
        both = self._compute(
            wav_file, lambda batch: np.stack([decode("reconstruction", encode(batch), batch), batch], axis=1)
        )
        return both[:, 0], both[:, 1]

    def _compute(self, wav_file: PathLike, compute: Callable[[Floats], Floats]) -> Floats:
        """What a function makes of the standardised spectrograms of a recording."""
        try:
            with np.errstate(under="ignore"):  # whatever the program around it has set
                images = disvoice_spectrograms(os.fspath(wav_file), self.config)
            size = len(images) if self.config.batch_statistics else _BATCH
            return np.concatenate([compute(images[at : at + size]) for at in range(0, len(images), size)])
        except MemoryError as error:
            raise DeviceMemoryError(f"{wav_file}: does not fit into memory as a whole: use shorter recordings") from error


class Autoencoder:
    """DisVoice's network on standardised spectrograms, tensors (windows, 1, 128, 126); without gradients."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def forward(self, spectrograms: Any) -> tuple[Any, Any]:
        """Reconstructions (windows, 1, 128, 126) and bottleneck (windows, units)."""
        images = np.asarray(spectrograms.detach().cpu() if hasattr(spectrograms, "detach") else spectrograms, np.float32)
        bottleneck = self._networks.encode(images)
        rebuilt = self._networks.decode("reconstruction", bottleneck, images)
        return given(rebuilt, return_numpy=False), given(bottleneck, return_numpy=False)

    __call__ = forward

    def eval(self) -> Autoencoder:
        """Itself: as in DisVoice, the statistics are those of the windows given, which leaves nothing to switch."""
        return self


def files_of(folder: PathLike) -> list[str]:
    """Names of the files in a folder, in DisVoice's order; an AudioFileNotFoundError where there are none."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names
    except OSError as error:
        raise AudioFileNotFoundError(f"{folder}: cannot be read as a folder ({error.strerror})") from error
    if not names:
        raise AudioFileNotFoundError(f"{folder}: is empty")
    return names


def given(values: Floats, return_numpy: bool) -> Any:
    """An array as it is, or as a tensor."""
    return values if return_numpy else needed("torch").from_numpy(np.ascontiguousarray(values))


def needed(module: str) -> Any:
    """Import a module of a package that DisVoice needs."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing(module.partition(".")[0], "this") from error


def disvoice_spectrograms(path: str, config: ModelConfig) -> Floats:
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
    windows = np.lib.stride_tricks.sliding_window_view(samples / (peak or 1), window)[:: config.audio.hop]
    columns = _log_mels(windows, config)
    if not columns:
        raise SamplesError(f"{path}: every window holds digital silence; DisVoice has no features of it")
    if len(columns) < len(windows):
        dropped = len(windows) - len(columns)
        warnings.warn(f"{path}: dropped {dropped} of {len(windows)} windows, which hold digital silence", stacklevel=2)
    values: Floats = np.stack(columns)[:, None]
    values += np.float32(config.spectrogram.offset)
    values /= np.float32(config.spectrogram.divisor)
    return values


def _log_mels(windows: Iterable[NDArray[np.floating]], config: ModelConfig) -> list[Floats]:
    """Logarithms of librosa's `melspectrogram`, float32 (bands, columns), of each window in which no power is 0."""
    spectrogram, found = config.spectrogram, []
    # SciPy's periodic Hann window: its last bits are not those of 0.5 - 0.5 cos(2 pi n / fft).
    taper = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, spectrogram.fft + 1)[:-1])
    filters = mel_filters(spectrogram.bands, config.audio.rate, spectrogram.fft).astype(np.float32)
    for window in windows:
        padded = np.pad(window, spectrogram.padding)
        columns = np.lib.stride_tricks.sliding_window_view(padded, spectrogram.fft)[:: spectrogram.step]
        # librosa computes the spectrum of float32 recordings in float32.
        precision = np.complex64 if window.dtype == np.float32 else np.complex128
        spectrum = np.fft.rfft(taper * columns).T.astype(precision, copy=False)
        power = filters @ np.abs(spectrum) ** 2
        if power.min() >= np.finfo(np.float32).smallest_subnormal:
            found.append(np.log(power.astype(np.float32, copy=False)))
    return found


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
