"""openSMILE's Python interface, with EdgeVoice's models as feature sets.

    from edgevoice.compat.opensmile import Smile   # in place of: from opensmile import Smile

    Smile(feature_set="cae-256", feature_level="functionals").process_files(paths)

Tables have the index, the column type (float32) and the order of rows of opensmile 2.6's. This differs:

- `feature_set` is the name of a model or the path of a model folder.
- "lld" gives one row for each window of the model, not for each frame of 10 ms. As with opensmile, the first row starts and
  the last row ends where the segment does.
- A segment shorter than one window gives one row of NaN and a `UserWarning`, at both levels.
- Samples are not rounded to 16 bits first, and audio of any rate is resampled to the model's.
- A segment is computed by itself, as if it were a whole recording.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, AudioTooShortError, MissingPackageError
from edgevoice.extractor import load

LEVELS = ("functionals", "lld")


def _table(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method with the name and arguments of one of audinterface's `Process`, which makes a table of the result."""

    @wraps(method)
    def call(self: Smile, *args: Any, **options: Any) -> Any:
        return self._frame(getattr(self.process, method.__name__)(*args, **options))

    return call


class Smile:
    """Features of files, folders, signals and indices as pandas tables.

    Rows are segments, or the windows of segments at the level "lld"; columns are `feature_names`. The index has the levels
    `file`, `start` and `end`, or `start` and `end` for a signal without a file. Several channels give columns of
    (channel, name). Arguments of the `process_` methods are those of opensmile 2.6.
    """

    def __init__(
        self,
        feature_set: str | os.PathLike[str] = "cae-256",
        feature_level: str = "functionals",
        *,
        sampling_rate: int | None = None,
        channels: int | Sequence[int] = 0,
        mixdown: bool = False,
        resample: bool = False,
        segment: Any = None,
        keep_nat: bool = False,
        num_workers: int | None = 1,
        multiprocessing: bool = False,
        verbose: bool = False,
    ) -> None:
        """Load the model.

        Args:
            feature_set: name of a model, or path of a model folder.
            feature_level: "functionals" for one row a segment, "lld" for one row per window.
            sampling_rate: rate that audio must have, in hertz, or is resampled to with `resample`; any if None.
            channels: the channels to use, from 0 up.
            mixdown: whether their mean is used.
            resample: whether audinterface resamples audio to `sampling_rate`.
            segment: an `audinterface.Segment` that cuts audio into segments first.
            keep_nat: whether an end that is not given stays NaT in the index.
            num_workers: segments computed at the same time; one for each core if None.
            multiprocessing: whether these are processes; threads otherwise.
            verbose: whether progress is shown.

        Raises:
            ArgumentError: there is no such level.
            MissingPackageError: audinterface is not installed.
            ModelNotFoundError, ModelConfigError, ModelFilesError: there is no such model, or it is broken.
        """
        if feature_level not in LEVELS:
            raise ArgumentError(f"feature_level {feature_level!r}: expected one of {', '.join(LEVELS)}")
        try:
            import audinterface
        except ImportError as error:
            raise MissingPackageError("audinterface is not installed: pip install 'edgevoice[opensmile]'") from error
        self.feature_set = feature_set
        self.feature_level = feature_level
        self._extractor = load(feature_set)
        self._channels = [channels] if mixdown or isinstance(channels, int) else list(channels)
        # Cores are used either for several segments or within one.
        self._workers = None if num_workers == 1 else 1
        self.process = audinterface.Process(
            process_func=self._extract,
            sampling_rate=sampling_rate,
            resample=resample,
            channels=channels,
            mixdown=mixdown,
            segment=segment,
            keep_nat=keep_nat,
            num_workers=num_workers,
            multiprocessing=multiprocessing,
            verbose=verbose,
        )

    @property
    def feature_names(self) -> list[str]:
        """Names of the features of one channel."""
        layout = self._extractor.layout
        return layout.functional_names if self.feature_level == "functionals" else layout.names

    @property
    def column_names(self) -> Any:
        """The columns of tables: names, or pairs of a channel and a name where there are several channels."""
        import pandas as pd

        if self.num_channels == 1:
            return pd.Index(self.feature_names)
        return pd.MultiIndex.from_product([self._channels, self.feature_names])

    @property
    def num_features(self) -> int:
        """Features of one channel."""
        return len(self.feature_names)

    @property
    def num_channels(self) -> int:
        """The number of channels that are used."""
        return len(self._channels)

    @_table
    def process_file(self, file: str, **options: Any) -> Any:
        """Table of one file; `start` and `end` in seconds choose a segment; `root` is the folder of the file."""

    @_table
    def process_files(self, files: Sequence[str], **options: Any) -> Any:
        """Table of several files; `starts`, `ends` and `root` as in `process_file`."""

    @_table
    def process_folder(self, root: str, **options: Any) -> Any:
        """Table of a folder's files with the extension `filetype` ("wav"), without those in folders below it."""

    @_table
    def process_signal(self, signal: NDArray[Any], sampling_rate: int, **options: Any) -> Any:
        """Table of samples, (samples,) or (channels, samples); `file`, `start` and `end` go into the index."""

    @_table
    def process_index(self, index: Any, **options: Any) -> Any:
        """Table of an audformat index; `root` is the folder of its files, `preserve_index` keeps a filewise index."""

    def __call__(self, signal: NDArray[Any], sampling_rate: int) -> NDArray[np.float32]:
        """(channels, features, rows) of samples, (samples,) or (channels, samples), float32."""
        values: NDArray[np.float32] = self.process(signal, sampling_rate)[2]
        return values.T.reshape(self.num_channels, self.num_features, -1)

    def _extract(self, signal: NDArray[Any], sampling_rate: int) -> tuple[Any, Any, NDArray[np.float32]]:
        """Starts and ends of rows in seconds, and their values, (rows, channels x features)."""
        duration = signal.shape[1] / sampling_rate
        starts, ends, values = np.zeros(1), np.array([duration]), []
        for samples in signal:
            try:
                features = self._extractor.extract((samples, sampling_rate), jobs=self._workers)
            except AudioTooShortError:
                warnings.warn("Segment too short, filling with NaN.", UserWarning, stacklevel=2)
                values.append(np.full((1, self.num_features), np.nan, np.float32))
                continue
            if self.feature_level == "functionals":
                values.append(features.functionals()[np.newaxis])
            else:
                starts, ends = features.start, features.end
                values.append(features.values)
        return starts, ends, np.concatenate(values, axis=1)

    def _frame(self, series: Any) -> Any:
        import pandas as pd

        if series.empty:
            return pd.DataFrame(index=series.index, columns=self.column_names, dtype=object)
        places: list[list[Any]] = [[] for _ in series.index.names]
        for place, (starts, ends, _) in series.items():
            *file, start, end = place if isinstance(place, tuple) else (place, pd.Timedelta(0), pd.NaT)
            first, last = [start + pd.to_timedelta(times, "s") for times in (starts, ends)]
            for column, value in zip(places, file, strict=False):
                column.extend([value] * len(first))
            places[-2].extend([start, *first[1:]])
            places[-1].extend([*last[:-1], end])
        index = pd.MultiIndex.from_arrays(
            [*places[:-2], *(pd.to_timedelta(times).as_unit("ns") for times in places[-2:])], names=series.index.names
        )
        return pd.DataFrame(np.concatenate([values for _, _, values in series]), index, self.column_names)
