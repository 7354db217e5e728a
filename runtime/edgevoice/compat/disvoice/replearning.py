"""DisVoice's interface to its representation-learning features.

    from edgevoice.compat.disvoice import RepLearning   # in place of: from disvoice import RepLearning

The networks are DisVoice's own. Its weights are not part of EdgeVoice: `edgevoice-export import-disvoice` makes model
folders of an installed DisVoice or of its wheel.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.compat.disvoice.spectrograms import disvoice_spectrograms
from edgevoice.errors import (
    ArgumentError,
    AudioFileNotFoundError,
    DeviceMemoryError,
    MissingPackageError,
    ModelNotFoundError,
)
from edgevoice.features import FUNCTIONALS, Layout, functionals
from edgevoice.inference import Networks
from edgevoice.modelfolder import find_model

MODELS = {"CAE": "disvoice-cae-256", "RAE": "disvoice-rae-256"}
"""DisVoice's names, and those of the model folders that `edgevoice-export import-disvoice` writes."""

FORMATS = ("npy", "txt", "dataframe", "csv")

_BATCH = 64
"""Windows computed together at most, where they do not depend on each other."""


class RepLearning:
    """DisVoice's `RepLearning`: the same calls, names and dtypes, and the same numbers, within 1e-4, absolute or relative.

    As in DisVoice the samples of a recording are normalised by its mean and peak, resampled by its spectrum where they are
    not at 16 kHz, and windows of digital silence are dropped. Unlike DisVoice it takes any file that soundfile reads, and
    skewness and kurtosis of a single window are 0, not NaN.

    The batch norms of the CAE use the statistics of all windows of a recording, which are in memory together: 1.3 MB a
    window, 310 MB a minute. A recording that does not fit is a DeviceMemoryError.

    Args:
        model: `CAE`, convolutional, or `RAE`, recurrent.

    Raises:
        ArgumentError: another name.
        ModelNotFoundError: DisVoice's weights have not been imported.
    """

    def __init__(self, model: str) -> None:
        if model not in MODELS:
            raise ArgumentError(f"model {model!r}: expected {' or '.join(MODELS)}")
        try:
            folder = find_model(MODELS[model])
        except ModelNotFoundError as error:
            raise ModelNotFoundError(
                f"{error}. Import DisVoice's weights: pip install --no-deps disvoice==0.1.10, then "
                "edgevoice-export import-disvoice (which needs the extra 'export')"
            ) from error
        config = folder.config
        self._config = config
        self._networks = Networks(folder, whole_batches=config.batch_statistics)
        self._layout = Layout(config.features.bottleneck, config.features.error, config.audio.rate, config.audio.window)
        self.size_bottleneck = config.features.bottleneck
        """Numbers of the bottleneck."""
        self.statistics = list(FUNCTIONALS)
        """Names of the functionals."""
        self.head_st = self._layout.functional_names
        """Names of the static features."""
        self.head_dyn = np.array(self._layout.names)
        """Names of the dynamic features."""

    def extract_features_file(
        self,
        audio: str | os.PathLike[str],
        static: bool = True,
        plots: bool = False,
        fmt: str = "npy",
        kaldi_file: str = "",  # noqa: ARG002
    ) -> Any:
        """Features of a recording.

        Args:
            audio: an audio file.
            static: functionals over the recording, or one row for each window of 500 ms, every 250 ms.
            plots: whether to show the spectrograms and their reconstructions; needs matplotlib.
            fmt: `npy` or `txt`: an array; `dataframe` or `csv`: a pandas DataFrame.
            kaldi_file: not used: DisVoice's formats `kaldi` and `torch` are not supported.

        Returns:
            float32 (1, 1536), or (windows, 384) with `static=False`: bottleneck, then errors.

        Raises:
            AudioError: the file is missing, damaged, shorter than one window, or digital silence throughout.
            ArgumentError: another format.
            DeviceMemoryError: the recording does not fit into memory.
            MissingPackageError: SciPy, pandas or matplotlib is needed and not installed.
        """
        _check_format(fmt)
        values = self._features(os.fspath(audio), static, plots)
        return _frame(values, list(self._head(static))) if fmt in ("dataframe", "csv") else values

    def extract_features_path(
        self,
        path_audio: str | os.PathLike[str],
        static: bool = True,
        plots: bool = False,
        fmt: str = "npy",
        kaldi_file: str = "",  # noqa: ARG002
    ) -> Any:
        """Features of all files of a folder, in the order of their names, one below the other.

        Arguments, formats and errors as `extract_features_file`; a DataFrame has the names of the files as its last
        column, `id`. A file that cannot be used ends it with an error, as in DisVoice.
        """
        _check_format(fmt)
        from tqdm import tqdm

        try:
            names = sorted(os.listdir(path_audio))  # noqa: PTH208 - names, in DisVoice's order
        except OSError as error:
            raise AudioFileNotFoundError(f"{path_audio}: cannot be read as a folder ({error.strerror})") from error
        if not names:
            raise AudioFileNotFoundError(f"{path_audio}: is empty")
        rows, ids = [], []
        bar = tqdm(names, disable=None)  # None: shown on a terminal only
        for name in bar:
            bar.set_description(f"Processing {name}")
            rows.append(self._features(str(Path(path_audio, name)), static, plots))
            ids.append(np.repeat(name, len(rows[-1])))
        values = np.vstack(rows)
        if fmt not in ("dataframe", "csv"):
            return values
        table = _frame(values, list(self._head(static)))
        table["id"] = np.hstack(ids)
        return table

    def _head(self, static: bool) -> list[str]:
        return self._layout.functional_names if static else self._layout.names

    def _features(self, audio: str, static: bool, plots: bool) -> NDArray[np.float32]:
        try:
            values = self._describe(disvoice_spectrograms(audio, self._config), plots)
        except MemoryError as error:
            raise DeviceMemoryError(f"{audio}: does not fit into memory as a whole: use shorter recordings") from error
        if not static:
            return values
        units = self._layout.bottleneck
        return np.concatenate([functionals(values[:, :units]), functionals(values[:, units:])])[None]

    def _describe(self, spectrograms: NDArray[np.float32], plots: bool) -> NDArray[np.float32]:
        size = len(spectrograms) if self._config.batch_statistics else _BATCH
        batches = [spectrograms[at : at + size] for at in range(0, len(spectrograms), size)]
        if plots:
            from edgevoice.compat.disvoice.figures import show_spectrograms

            rebuilt = [self._networks.reconstruct(self._networks.encode(batch), batch) for batch in batches]
            show_spectrograms(spectrograms[:, 0], np.concatenate(rebuilt)[:, 0], self._config)
        return np.concatenate([self._descriptors(batch) for batch in batches])

    def _descriptors(self, spectrograms: NDArray[np.float32]) -> NDArray[np.float32]:
        bottleneck = self._networks.encode(spectrograms)
        return np.concatenate([bottleneck, self._networks.error(bottleneck, spectrograms)], axis=1)


def _check_format(fmt: str) -> None:
    if fmt not in FORMATS:
        raise ArgumentError(f"fmt {fmt!r}: is not supported; expected one of {', '.join(FORMATS)}")


def _frame(values: NDArray[np.float32], names: list[str]) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingPackageError(
            "a DataFrame needs pandas, which is not installed: pip install 'edgevoice[disvoice]'"
        ) from error
    return pd.DataFrame(values, columns=names)
