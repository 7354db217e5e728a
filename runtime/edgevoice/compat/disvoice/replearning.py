"""DisVoice's `RepLearning`: features of a recording or of a folder, in its formats."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.compat.disvoice.aespeech import AEspeech, files_of, frame, tensor
from edgevoice.errors import ArgumentError
from edgevoice.features import FUNCTIONALS
from edgevoice.files import whole_files
from edgevoice.tables.arkfile import ark_entry

FORMATS = ("npy", "txt", "dataframe", "csv", "torch", "kaldi")


class RepLearning:
    """DisVoice's `RepLearning`: the same calls, names and dtypes, and the same numbers.

    Frames agree within 1e-4, absolute or relative; so do functionals, but for skewness and kurtosis of few windows (1e-3).

    As in DisVoice the samples of a recording are normalised by its mean and peak, resampled by its spectrum where they are
    not at 16 kHz, and windows of digital silence are dropped. Unlike DisVoice it takes any file that soundfile reads, and
    skewness and kurtosis of a single window are 0, not NaN.

    The batch norms of the CAE use the statistics of all windows of a recording, which are in memory together: 1.3 MB a
    window, 310 MB per minute. A recording that does not fit is a DeviceMemoryError.

    Args:
        model: `CAE`, convolutional, or `RAE`, recurrent.

    Raises:
        ArgumentError: another name.
        ModelNotFoundError: DisVoice's weights have not been imported.
    """

    def __init__(self, model: str) -> None:
        self.AEspeech = AEspeech(model)
        """The networks and their methods."""
        layout = self.AEspeech.layout
        self.size_bottleneck = layout.bottleneck
        """The size of the bottleneck."""
        self.statistics = list(FUNCTIONALS)
        """Names of the functionals."""
        self.head_st = layout.functional_names
        """Names of the static features."""
        self.head_dyn = np.array(layout.names)
        """Names of the dynamic features."""

    def extract_features_file(
        self,
        audio: str | os.PathLike[str],
        static: bool = True,
        plots: bool = False,
        fmt: str = "npy",
        kaldi_file: str = "",
    ) -> Any:
        """Features of a recording.

        Args:
            audio: an audio file.
            static: functionals over the recording, or one row for each window of 500 ms, every 250 ms.
            plots: whether to show the spectrograms and their reconstructions; needs matplotlib.
            fmt: `npy` or `txt`: an array; `dataframe` or `csv`: a pandas DataFrame; `torch`: a tensor of PyTorch; `kaldi`:
                nothing, the dynamic features are written to `kaldi_file`.
            kaldi_file: `NAME` for `NAME.ark` and `NAME.scp`, which are replaced where they exist; the utterance has the name
                of the file.

        Returns:
            float32 (1, 1536), or (windows, 384) with `static=False`: bottleneck, then errors.

        Raises:
            AudioError: the file is missing, damaged, shorter than one window, or digital silence throughout.
            ArgumentError: another format, or static features in `kaldi`.
            DeviceMemoryError: the recording does not fit into memory.
            MissingPackageError: SciPy, pandas, matplotlib or PyTorch is needed and not installed.
            OutputError: `kaldi_file` cannot be written.
        """
        _check_format(fmt, static, kaldi_file)
        values = self._features(audio, static, plots)
        if fmt == "kaldi":
            return _write_kaldi(kaldi_file, {Path(audio).name: values})
        return self._given(values, static, fmt)

    def extract_features_path(
        self,
        path_audio: str | os.PathLike[str],
        static: bool = True,
        plots: bool = False,
        fmt: str = "npy",
        kaldi_file: str = "",
    ) -> Any:
        """Features of all files of a folder, in the order of their names, one below the other.

        Arguments, formats and errors as `extract_features_file`; a DataFrame has the names of the files as its last
        column, `id`. A file that cannot be used ends it with an error, as in DisVoice.
        """
        _check_format(fmt, static, kaldi_file)
        from tqdm import tqdm

        names = files_of(path_audio)
        rows = []
        bar = tqdm(names, disable=None)  # None: shown on a terminal only
        for name in bar:
            bar.set_description(f"Processing {name}")
            rows.append(self._features(Path(path_audio, name), static, plots))
        if fmt == "kaldi":
            return _write_kaldi(kaldi_file, dict(zip(names, rows, strict=True)))
        found = self._given(np.vstack(rows), static, fmt)
        if fmt in ("dataframe", "csv"):
            found["id"] = np.repeat(names, [len(block) for block in rows])
        return found

    def _features(self, audio: str | os.PathLike[str], static: bool, plots: bool) -> NDArray[np.float32]:
        if plots:
            self.AEspeech.plot_spectrograms(audio)
        values = self.AEspeech.describe(audio)
        return self.AEspeech.functionals(values)[None] if static else values

    def _given(self, values: NDArray[np.float32], static: bool, fmt: str) -> Any:
        if fmt in ("dataframe", "csv"):
            return frame(values, self.head_st if static else self.head_dyn.tolist())
        return tensor(values) if fmt == "torch" else values


def _check_format(fmt: str, static: bool, kaldi_file: str) -> None:
    if fmt not in FORMATS:
        raise ArgumentError(f"fmt {fmt!r}: is not supported; expected one of {', '.join(FORMATS)}")
    if fmt == "kaldi" and static:
        raise ArgumentError("fmt 'kaldi': is for dynamic features, expected static=False")
    if fmt == "kaldi" and not kaldi_file:
        raise ArgumentError("fmt 'kaldi': expected kaldi_file, the name of the ark and the scp without .ark and .scp")


def _write_kaldi(name: str, matrices: Mapping[str, NDArray[np.float32]]) -> None:
    lines = []
    with whole_files({Path(f"{name}.scp"): True, Path(f"{name}.ark"): True}) as (scp, ark):
        for utterance, values in matrices.items():
            lines.append(f"{utterance} {name}.ark:{ark.tell() + len(utterance.encode()) + 1}\n")
            ark.write(ark_entry(utterance, values))
        scp.write("".join(lines).encode())
