"""A transformer of scikit-learn: recordings in, one row of features each out.

from edgevoice.compat.sklearn import SpeechFeatures

pipeline = make_pipeline(SpeechFeatures("cae-256"), StandardScaler(), LogisticRegression())
pipeline.fit(paths, labels)
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import closing, suppress
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.index import Row, read_index
from edgevoice.corpus.run import results
from edgevoice.errors import ArgumentError, missing
from edgevoice.extractor import Descriptors, Extractor, load
from edgevoice.files import whole_file
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice.recipe import Reading

try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ImportError as error:
    raise missing("scikit-learn", "edgevoice.compat.sklearn") from error

Vectors = NDArray[np.float32]

_KEPT = 20_000  # largest number of vectors that a process keeps in memory: 120 MB of 1536 numbers each
_kept: dict[str, Vectors] = {}


@dataclass(eq=False, repr=False)
class SpeechFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Functionals of recordings, or of segments of them: a transformer without a state of its own.

    A sample is a path, or a row (file, start, end) in seconds; X is a sequence or an array of either, a series or a data
    frame of one text column with paths, a data frame of pandas or polars with the columns `file`, `start`, `end` and
    `channel`, or an audformat index. A recording that cannot be read is an error, for every sample needs its row. Features
    are computed once: the process keeps up to 20 000 vectors in memory (120 MB), and a folder keeps all where one is named,
    so that a search over the parameters of a classifier does not compute them again, even in several processes.

    Args:
        model: name or path of a model, or a `ModelFolder`.
        descriptors: as `edgevoice.load`.
        level: as `Extractor.extract`.
        hop: as `Extractor.extract`.
        channel: as `Extractor.extract`.
        pad: whether recordings shorter than a window are filled up with zeros.
        root: the folder that relative files are in; None is the current one.
        jobs: how much is computed at the same time.
        cache: a folder for features that have been computed, shared between processes and runs; None keeps them in memory
            alone. Features of a file that was changed are computed again.
    """

    model: str | os.PathLike[str] | ModelFolder = "cae-256"
    _: KW_ONLY
    descriptors: Descriptors = "all"
    level: str | float | None = None
    hop: float | None = None
    channel: int | None = None
    pad: bool = True
    root: str | os.PathLike[str] | None = None
    jobs: int = 1
    cache: str | os.PathLike[str] | None = None

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's names
        """Check the arguments. There is nothing to learn, because the model is trained already.

        Raises:
            ModelError: there is no such model.
            ArgumentError: X or another argument is none of what is allowed.
        """
        self._extractor().recipe(self._reading())
        self._rows(X)
        return self

    def transform(self, X: Any) -> Vectors:  # noqa: N803
        """Features of the samples: float32 (samples, functionals).

        Raises:
            AudioError: a recording is missing, damaged or, without `pad`, too short.
            ModelError, ArgumentError: as `fit`.
        """
        extractor, rows, reading = self._extractor(), self._rows(X), self._reading()
        folder = None if self.cache is None else Path(self.cache)
        made_by = json.dumps(extractor.recipe(reading).deciding())
        keys = [_key(made_by, row) for row in rows]
        found = {key: _recall(folder, key) for key in dict.fromkeys(keys)}
        missing = {key: row for key, row in zip(keys, rows, strict=True) if found[key] is None}
        with closing(results(extractor, [list(missing.values())], reading, self.jobs)) as computed:
            for key, result in zip(missing, computed, strict=True):
                if result.error:
                    raise result.error
                ((_, features),) = result.parts
                found[key] = vector = features.functionals()
                if len(_kept) >= _KEPT:
                    _kept.clear()  # `found` has what this call needs
                _kept[key] = vector
                if folder is not None:
                    with whole_file(folder / f"{key}.npy") as file:
                        np.save(file, vector)
        width = len(extractor.layout.functional_names)
        return np.array([found[key] for key in keys], np.float32).reshape(len(keys), width)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002
        """Names of the columns: `mean_bottleneck_0` and so on."""
        return np.array(self._extractor().layout.functional_names, object)

    def _extractor(self) -> Extractor:
        return _loaded(find_model(self.model), self.descriptors)

    def _reading(self) -> Reading:
        if isinstance(self.channel, str):
            raise ArgumentError(f"channel {self.channel!r}: a sample is one vector; expected a number, or None")
        return Reading(self.level, self.hop, self.channel, self.pad)

    def _rows(self, samples: Any) -> tuple[Row, ...]:
        # An iterator would be empty when it is read again.
        if isinstance(samples, str | bytes | os.PathLike) or not hasattr(samples, "__len__"):
            raise ArgumentError(f"X is {type(samples).__name__}: expected a sequence of paths or of (file, start, end) rows")
        if isinstance(samples, np.ndarray):
            cells = np.atleast_1d(samples).tolist()
            samples = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in cells]
        rows = read_index(samples, self.root).rows
        if len(samples) != len(rows):
            raise ArgumentError(f"X has {len(samples)} samples and {len(rows)} recordings: a folder is no sample")
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


@lru_cache(maxsize=4)
def _loaded(model: ModelFolder, descriptors: Descriptors) -> Extractor:
    """Load a model, once per process, however many clones of an estimator there are."""
    return load(model, descriptors=descriptors)


def _key(made_by: str, row: Row) -> str:
    """The key of the features of a row: the settings that compute them, and the version of the file."""
    try:
        state = os.stat(row.path)  # noqa: PTH116
        version: list[Any] = [state.st_size, state.st_mtime_ns]
    except (OSError, ValueError):
        version = []  # reading it will say what is wrong
    content = [made_by, os.path.realpath(row.path), version, row.start, row.end, row.channel]
    return hashlib.sha256(json.dumps(content).encode("utf-8", "surrogateescape")).hexdigest()


def _recall(folder: Path | None, key: str) -> Vectors | None:
    """A vector that is kept in memory or in a folder."""
    if folder is None or (key in _kept and (folder / f"{key}.npy").exists()):
        return _kept.get(key)
    with suppress(OSError, ValueError, EOFError):  # missing or damaged: computed again
        return np.asarray(np.load(folder / f"{key}.npy"), np.float32)
    return None
