"""DisVoice's `RepLearning`: features of a recording or of a folder, in its formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.compat.disvoice.aespeech import AEspeech, files_of, given, needed
from edgevoice.errors import ArgumentError
from edgevoice.features import FUNCTIONALS
from edgevoice.files import PathLike, whole_files
from edgevoice.tables.arkfile import ark_entry

FORMATS = ("npy", "txt", "dataframe", "csv", "torch", "kaldi")


class RepLearning:
    """DisVoice's `RepLearning`: the same calls, names and dtypes, and the same numbers.

    Frames agree within 1e-4, absolute or relative; so do functionals, but for skewness and kurtosis of few windows (1e-3).

    Unlike DisVoice it takes any file that soundfile reads, and skewness and kurtosis of a single window are 0, not NaN.

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
        self, audio: PathLike, static: bool = True, plots: bool = False, fmt: str = "npy", kaldi_file: str = ""
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
        return self._extract(audio, static, plots, fmt, kaldi_file)

    def extract_features_path(
        self, path_audio: PathLike, static: bool = True, plots: bool = False, fmt: str = "npy", kaldi_file: str = ""
    ) -> Any:
        """Features of all files of a folder, in the order of their names, one below the other.

        Arguments, formats and errors as `extract_features_file`; a DataFrame has the names of the files as its last
        column, `id`. A file that cannot be used ends it with an error, as in DisVoice.
        """
        return self._extract(path_audio, static, plots, fmt, kaldi_file, folder=True)

    def _extract(self, place: PathLike, static: bool, plots: bool, fmt: str, kaldi_file: str, folder: bool = False) -> Any:
        if fmt not in FORMATS:
            raise ArgumentError(f"fmt {fmt!r}: is not supported; expected one of {', '.join(FORMATS)}")
        if fmt == "kaldi" and (static or not kaldi_file):
            raise ArgumentError("fmt 'kaldi': is for dynamic features, expected static=False and a kaldi_file, without .ark")
        from tqdm import tqdm

        paths = [Path(place, name) for name in files_of(place)] if folder else [Path(place)]
        names, rows = [], []
        for path in tqdm(paths, desc="Processing", disable=None if folder else True):  # None: shown on a terminal only
            if plots:
                self.AEspeech.plot_spectrograms(path)
            values = self.AEspeech.describe(path)
            rows.append(self.AEspeech.functionals(values)[None] if static else values)
            names.append(path.name)
        if fmt == "kaldi":
            lines = []
            with whole_files({Path(f"{kaldi_file}.scp"): True, Path(f"{kaldi_file}.ark"): True}) as (scp, ark):
                for name, values in zip(names, rows, strict=True):
                    lines.append(f"{name} {kaldi_file}.ark:{ark.tell() + len(name.encode()) + 1}\n")
                    ark.write(ark_entry(name, values))
                scp.write("".join(lines).encode())
            return None
        values = np.concatenate(rows)
        if fmt not in ("dataframe", "csv"):
            return given(values, return_numpy=fmt != "torch")
        table = needed("pandas").DataFrame(values, columns=self.head_st if static else self.head_dyn.tolist())
        if folder:
            table["id"] = np.repeat(names, [len(block) for block in rows])
        return table
