"""DisVoice's `AEspeech`: spectrograms, bottleneck, reconstructions and errors of a recording, by its published networks."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.compat.disvoice.spectrograms import disvoice_spectrograms
from edgevoice.errors import (
    ArgumentError,
    AudioError,
    AudioFileNotFoundError,
    DeviceMemoryError,
    MissingPackageError,
    ModelNotFoundError,
)
from edgevoice.features import FUNCTIONALS, Layout, functionals
from edgevoice.inference import Networks
from edgevoice.modelfolder import ModelFolder, find_model

Floats = NDArray[np.float32]

MODELS = ("CAE", "RAE")

_BATCH = 64
"""Largest number of windows computed together, where they do not depend on each other."""


class AEspeech:
    """DisVoice's `AEspeech`: the same methods, names and numbers, within 1e-4, absolute or relative.

    Tensors are given where DisVoice gives them, which needs PyTorch. The batch norms of the CAE use the statistics of all
    windows of a recording, which are in memory together: 1.3 MB per window.

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
        self.model_type = model
        """`CAE` or `RAE`."""
        self._use(folder)

    def _use(self, folder: ModelFolder) -> None:
        config = self.config = folder.config
        self._networks = Networks(folder, whole_batches=config.batch_statistics)
        self.AE = Autoencoder(self._networks)
        """The network, for tensors."""
        self.units = config.features.bottleneck
        """The size of the bottleneck."""
        self.layout = Layout.of(config)
        """Names of the descriptors."""
        self.min_scaler = -config.spectrogram.offset
        self.max_scaler = config.spectrogram.divisor - config.spectrogram.offset
        self.feat_names_bottle_all, self.feat_names_error_all = self.get_feature_names()

    def compute_spectrograms(self, wav_file: str | os.PathLike[str]) -> Any:
        """Natural logarithm of the Mel power of each window that DisVoice keeps: float32 (windows, 1, 128, 126).

        A tensor, or an array where PyTorch is not installed.

        Raises:
            AudioError: the file is missing, damaged, shorter than one window, or digital silence throughout.
            MissingPackageError: it must be resampled, and SciPy is not installed.
        """
        values = np.asarray(self.destandard(self._spectrograms(wav_file)), np.float32)
        return _given(values, return_numpy=find_spec("torch") is None)

    def show_spectrograms(self, spectrograms: Any) -> None:
        """Show a figure for each spectrogram (n, 128, 126), or (n, 1, 128, 126); needs matplotlib."""
        from edgevoice.compat.disvoice.figures import show_windows

        images = np.asarray(spectrograms, np.float32)
        show_windows(images.reshape(-1, *images.shape[-2:]), self.config)

    def standard(self, tensor: Any) -> Any:
        """Standardise spectrograms as the networks expect them: an array or a tensor of any shape, float32."""
        scaled = (tensor - self.min_scaler) / (self.max_scaler - self.min_scaler)
        return scaled.astype(np.float32) if isinstance(scaled, np.ndarray) else scaled.float()

    def destandard(self, tensor: Any) -> Any:
        """Undo `standard`."""
        return tensor * (self.max_scaler - self.min_scaler) + self.min_scaler

    def compute_bottleneck_features(self, wav_file: str | os.PathLike[str], return_numpy: bool = True) -> Any:
        """Bottleneck of each window: float32 (windows, units), an array or a tensor. Errors as `compute_spectrograms`."""
        with _memory(wav_file):
            batches = self._batches(self._spectrograms(wav_file))
            return _given(np.concatenate([self._networks.encode(batch) for batch in batches]), return_numpy)

    def compute_rec_error_features(self, wav_file: str | os.PathLike[str], return_numpy: bool = True) -> Any:
        """Reconstruction error of each band and window: float32 (windows, 128). Errors as `compute_spectrograms`."""
        return _given(self.describe(wav_file)[:, self.units :], return_numpy)

    def compute_rec_spectrogram(self, wav_file: str | os.PathLike[str], return_numpy: bool = True) -> tuple[Any, Any]:
        """Reconstructions as logarithms, and the standardised spectrograms: float32 (windows, 1, 128, 126) each."""
        with _memory(wav_file):
            spectrograms = self._spectrograms(wav_file)
            rebuilt = np.asarray(self.destandard(self._rebuilt(spectrograms)), np.float32)
            return _given(rebuilt, return_numpy), _given(spectrograms, return_numpy)

    def plot_spectrograms(self, wav_file: str | os.PathLike[str]) -> None:
        """Show the spectrograms of a recording, what the decoder makes of them, and the error over frequency.

        Both are drawn standardised, and compared so.
        """
        from edgevoice.compat.disvoice.figures import show_recording

        with _memory(wav_file):
            spectrograms = self._spectrograms(wav_file)
            show_recording(spectrograms[:, 0], self._rebuilt(spectrograms)[:, 0], self.config)

    def compute_dynamic_features(self, wav_directory: str | os.PathLike[str]) -> dict[str, Any]:
        """Features of every window of a folder's files, in the order of their names.

        Returns:
            `wav_file` and `frame`, the file and the number of each window; `bottleneck` (windows, units), `error` (windows,
            128).

        Raises:
            AudioError: a file cannot be used, or the folder holds none.
        """
        names = files_of(wav_directory)
        rows = [self.describe(Path(wav_directory, name)) for name in names]
        values = np.concatenate(rows)
        return {
            "wav_file": np.repeat(names, [len(block) for block in rows]),
            "frame": np.concatenate([np.arange(len(block)) for block in rows]),
            "bottleneck": values[:, : self.units],
            "error": values[:, self.units :],
        }

    def compute_global_features(self, wav_directory: str | os.PathLike[str], stack_feat: bool = False) -> Any:
        """Functionals of a folder's files as data frames, whose first column is `ID`; needs pandas.

        A file that cannot be used is left out, with a warning; DisVoice has a row of zeros there.

        Args:
            wav_directory: a folder.
            stack_feat: whether a third table has the columns of both.

        Returns:
            The tables of the bottleneck and of the error, and the third one.
        """
        ids, rows = [], []
        for name in files_of(wav_directory):
            try:
                rows.append(self.functionals(self.describe(Path(wav_directory, name))))
            except AudioError as error:
                warnings.warn(f"{error}: left out", stacklevel=2)
            else:
                ids.append(name)
        values = np.array(rows, np.float32).reshape(len(ids), -1)
        border = len(self.feat_names_bottle_all)
        names = [*self.feat_names_bottle_all, *self.feat_names_error_all]
        parts = [np.s_[:border], np.s_[border:], *([np.s_[:]] if stack_feat else [])]
        tables = []
        for part in parts:
            table = frame(values[:, part], names[part])
            table.insert(0, "ID", ids)
            tables.append(table)
        return tuple(tables)

    def get_feature_names(self) -> tuple[list[str], list[str]]:
        """Names of the functionals of the bottleneck and of the error; the mean is called `avg`."""
        statistics = ["avg" if name == "mean" else name for name in FUNCTIONALS]
        counts = {"bottleneck": self.layout.bottleneck, "error": self.layout.error}
        bottleneck, error = (
            [f"{statistic}_{kind}_{k}" for statistic in statistics for k in range(count)] for kind, count in counts.items()
        )
        return bottleneck, error

    def describe(self, wav_file: str | os.PathLike[str]) -> Floats:
        """Bottleneck and errors of each window: float32 (windows, units + 128). Errors as `compute_spectrograms`."""
        with _memory(wav_file):
            return np.concatenate([self._descriptors(batch) for batch in self._batches(self._spectrograms(wav_file))])

    def functionals(self, values: Floats) -> Floats:
        """What `describe` gave, as one vector: the functionals of the bottleneck, then those of the errors."""
        return np.concatenate([functionals(values[:, : self.units]), functionals(values[:, self.units :])])

    def _spectrograms(self, wav_file: str | os.PathLike[str]) -> Floats:
        with np.errstate(under="ignore"):  # whatever the program around it has set
            return disvoice_spectrograms(os.fspath(wav_file), self.config)

    def _rebuilt(self, spectrograms: Floats) -> Floats:
        networks, batches = self._networks, self._batches(spectrograms)
        return np.concatenate([networks.reconstruct(networks.encode(batch), batch) for batch in batches])

    def _descriptors(self, spectrograms: Floats) -> Floats:
        bottleneck = self._networks.encode(spectrograms)
        return np.concatenate([bottleneck, self._networks.error(bottleneck, spectrograms)], axis=1)

    def _batches(self, spectrograms: Floats) -> list[Floats]:
        size = len(spectrograms) if self.config.batch_statistics else _BATCH
        return [spectrograms[at : at + size] for at in range(0, len(spectrograms), size)]


class Autoencoder:
    """DisVoice's network on standardised spectrograms, tensors (windows, 1, 128, 126); without gradients."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def forward(self, spectrograms: Any) -> tuple[Any, Any]:
        """Reconstructions (windows, 1, 128, 126) and bottleneck (windows, units).

        Raises:
            MissingPackageError: PyTorch is not installed.
        """
        images = np.asarray(spectrograms.detach().cpu() if hasattr(spectrograms, "detach") else spectrograms, np.float32)
        bottleneck = self._networks.encode(images)
        return tensor(self._networks.reconstruct(bottleneck, images)), tensor(bottleneck)

    __call__ = forward

    def eval(self) -> Autoencoder:
        """Itself: as in DisVoice, the statistics are those of the windows given, which leaves nothing to switch."""
        return self


def files_of(folder: str | os.PathLike[str]) -> list[str]:
    """Names of the files in a folder, in DisVoice's order.

    Raises:
        AudioFileNotFoundError: it is no folder, or empty.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names
    except OSError as error:
        raise AudioFileNotFoundError(f"{folder}: cannot be read as a folder ({error.strerror})") from error
    if not names:
        raise AudioFileNotFoundError(f"{folder}: is empty")
    return names


def frame(values: Floats, names: list[str]) -> Any:
    """A data frame.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingPackageError("a DataFrame needs pandas, which is not installed: pip install pandas") from error
    return pd.DataFrame(values, columns=names)


def tensor(values: Floats) -> Any:
    """A tensor of PyTorch.

    Raises:
        MissingPackageError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingPackageError("tensors need PyTorch, which is not installed: pip install torch") from error
    return torch.from_numpy(np.ascontiguousarray(values))


def _given(values: Floats, return_numpy: bool) -> Any:
    return values if return_numpy else tensor(values)


@contextmanager
def _memory(name: str | os.PathLike[str]) -> Iterator[None]:
    """Name the recording in an error about memory."""
    try:
        yield
    except MemoryError as error:
        raise DeviceMemoryError(f"{name}: does not fit into memory as a whole: use shorter recordings") from error
