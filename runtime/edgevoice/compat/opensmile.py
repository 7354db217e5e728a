"""openSMILE's Python interface, with EdgeVoice's models as feature sets.

    import edgevoice.compat.opensmile as opensmile   # in place of: import opensmile

    opensmile.Smile(opensmile.FeatureSet.CAE_256, opensmile.FeatureLevel.Functionals).process_files(paths)

`Smile` is an `audinterface.Feature`, with all its methods. Tables have the index, the column type (float32) and the order of
rows of opensmile 2.6's. This differs:

- "lld" gives one row for each window of the model, not for each frame of 10 ms; there are no deltas. As with opensmile, the
  first row starts and the last row ends where the segment does.
- Samples are not rounded to 16 bits first, and audio of any rate is resampled to the model's.
- A segment is computed by itself, as if it were a whole recording.
"""

from __future__ import annotations

import enum
import hashlib
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, AudioTooShortError, missing
from edgevoice.extractor import load
from edgevoice.recipe import Reading

try:
    import audobject
    import pandas as pd
    from audinterface import Feature
except ImportError as error:
    raise missing("audinterface audobject pandas", "openSMILE's interface") from error


class FeatureLevel(enum.Enum):
    """openSMILE's levels."""

    LowLevelDescriptors = "lld"
    """One row per window."""
    LowLevelDescriptors_Deltas = "lld_de"
    """Refused: EdgeVoice has no deltas."""
    Functionals = "func"
    """One row per segment: mean, standard deviation, skewness and kurtosis of each descriptor."""


_OPENSMILE_SETS = re.compile(r"e?GeMAPS(v0.*)?|ComParE_2016|emobase|IS(09|1[0-3])")


class _OpenSmileSetError(ArgumentError, AttributeError): ...


class _FeatureSets(enum.EnumType):
    """Says what there is where a feature set of openSMILE's own is asked for."""

    def __getattr__(cls, name: str) -> Any:
        if not _OPENSMILE_SETS.fullmatch(name):
            raise AttributeError(name)
        known = ", ".join(cls.__members__)
        raise _OpenSmileSetError(f"{name}: is a feature set of openSMILE, expected one of EdgeVoice's: FeatureSet.{known}")

    def __getitem__(cls, name: str) -> Any:
        return super().__getitem__(name) if name in cls.__members__ else getattr(cls, name)


class FeatureSet(enum.Enum, metaclass=_FeatureSets):
    """EdgeVoice's models, by name."""

    CAE_256 = "cae-256"
    CAE_64 = "cae-64"
    LIGHT_256 = "light-256"
    LIGHT_64 = "light-64"
    RAE_256 = "rae-256"
    RAE_64 = "rae-64"
    LAMPROU_64 = "lamprou-64"


class _Words(audobject.resolver.Base):  # type: ignore[misc]
    """Feature sets and levels as words in YAML."""

    def decode(self, value: str) -> str:
        return value

    def encode(self, value: Any) -> str:
        return str(value.value if isinstance(value, enum.Enum) else value)

    def encode_type(self) -> type:
        return str


class Smile(Feature, audobject.Object):  # type: ignore[misc]
    """Features of files, folders, signals and indices as pandas tables.

    Rows are segments, or the windows of segments at the level "lld"; columns are `feature_names`. The index has the levels
    `file`, `start` and `end`, or `start` and `end` for a signal without a file. Several channels give columns of
    (channel, name). Methods, arguments and attributes are those of opensmile 2.6 and of `audinterface.Feature`.

    Args:
        feature_set: a model: a member of `FeatureSet`, a name, or the path of a model folder.
        feature_level: `Functionals` ("func") for one row a segment, `LowLevelDescriptors` ("lld") for one row per
            window; openSMILE's own enumeration will do.
        options: none are known.
        loglevel: has no effect, for nothing is logged.
        logfile: has none either.
        pad: whether segments shorter than one window are padded with zeros; else such a row is NaN, with a `UserWarning`.
        hop: seconds between windows; the model's own if None.
        kwargs: `channels`, `mixdown`, `sampling_rate`, `resample`, `segment`, `keep_nat`, `num_workers`, `multiprocessing`,
            `verbose`, as `audinterface.Feature`.

    Raises:
        ArgumentError: there is no such level, or the set is one of openSMILE's.
        ModelNotFoundError, ModelConfigError, ModelFilesError: there is no such model, or it is broken.
    """

    @audobject.init_decorator(  # type: ignore[untyped-decorator]
        borrow=dict.fromkeys(("sampling_rate", "channels", "mixdown", "resample"), "process"),
        hide=["logfile", "loglevel"],
        resolvers={"feature_set": _Words, "feature_level": _Words},
    )
    def __init__(
        self,
        feature_set: str | os.PathLike[str] | FeatureSet = FeatureSet.CAE_256,
        feature_level: str | FeatureLevel = FeatureLevel.Functionals,
        *,
        options: dict[str, Any] | None = None,
        loglevel: int = 2,
        logfile: str | None = None,
        pad: bool = False,
        hop: float | None = None,
        **kwargs: Any,
    ) -> None:
        if options:
            raise ArgumentError(f"options {sorted(options)}: EdgeVoice's models have none")
        self.feature_level = _level(feature_level)
        self.feature_set = _model(feature_set)
        self.options: dict[str, Any] = {}
        self.loglevel, self.logfile, self.pad, self.hop = loglevel, logfile, pad, hop
        name = self.feature_set
        self._extractor = load(name.value if isinstance(name, FeatureSet) else name)
        # Cores are used either for several segments or within one.
        self._jobs = None if kwargs.get("num_workers", 1) == 1 else 1
        config, layout = self._extractor.config, self._extractor.layout
        self._recipe = self._extractor.recipe(Reading(hop=hop, pad=pad))
        static = self.feature_level is FeatureLevel.Functionals
        super().__init__(
            layout.functional_names if static else layout.names,
            name=config.name,
            params={"version": config.version, "feature_level": self.feature_level.value, "hop": hop, "pad": pad},
            process_func=self._extract,
            process_func_applies_sliding_window=not static,
            win_dur=None if static else config.audio.window / config.audio.rate,
            hop_dur=None if static else self._recipe.hop,
            **kwargs,
        )

    def process_index(
        self, index: Any, *, preserve_index: bool = False, cache_root: str | None = None, **kwargs: Any
    ) -> Any:
        """Table of an audformat index, as `audinterface.Feature`.

        A filewise index cannot be kept at the level "lld", where rows are windows: ArgumentError. `cache_root` keeps tables
        by index, model and setting; with `segment` nothing is kept there.
        """
        if preserve_index and self.feature_level is not FeatureLevel.Functionals:
            raise ArgumentError("preserve_index: expected the level 'func'; rows of 'lld' are windows, which have times")
        if self.process.segment is not None:
            cache_root = None
        if cache_root is not None:
            setting = self.to_yaml_s(include_version=False), self.process.keep_nat, kwargs.get("root"), self._recipe.digest()
            cache_root = str(Path(cache_root, hashlib.sha256(repr(setting).encode()).hexdigest()[:16]))
        return super().process_index(index, preserve_index=preserve_index, cache_root=cache_root, **kwargs)

    def _extract(self, signal: NDArray[Any], sampling_rate: int) -> NDArray[np.float32]:
        """(channels, features, rows) of samples (channels, samples)."""
        values = []
        for samples in signal:
            try:
                features = self._extractor.extract((samples, sampling_rate), hop=self.hop, pad=self.pad, jobs=self._jobs)
            except AudioTooShortError:
                warnings.warn("Segment too short, filling with NaN.", UserWarning, stacklevel=2)
                values.append(np.full((self.num_features, 1), np.nan, np.float32))
            else:
                values.append(features.values.T if self.win_dur else features.functionals()[:, np.newaxis])
        return np.stack(values)

    def _series_to_frame(self, y: Any) -> Any:
        if y.empty:
            return pd.DataFrame(index=y.index, columns=self.column_names, dtype=object)
        windows = [np.arange(values.shape[-1]) for values in y]
        segments = y.index.repeat([len(numbers) for numbers in windows])
        *files, starts, ends = (segments.get_level_values(name) for name in y.index.names)
        if self.win_dur:
            number = np.concatenate(windows)
            starts += pd.to_timedelta(number * self.hop_dur, "s")
            # The last window of a segment ends with it.
            ends = ends.where(np.append(number[1:] == 0, True), starts + pd.to_timedelta(self.win_dur, "s"))
        index = pd.MultiIndex.from_arrays([*map(list, files), starts.as_unit("ns"), ends.as_unit("ns")], names=y.index.names)
        return pd.DataFrame(np.concatenate([self._values_to_frame(values) for values in y]), index, self.column_names)


def _level(given: object) -> FeatureLevel:
    """A level, from a member of either enumeration, its name or its value."""
    word = given.value if isinstance(given, enum.Enum) else given
    for level in (FeatureLevel.Functionals, FeatureLevel.LowLevelDescriptors):
        if word in (level.value, level.name, level.name.lower()):
            return level
    raise ArgumentError(f"feature_level {word!r}: expected 'func' or 'lld'; EdgeVoice has no deltas")


def _model(given: Any) -> FeatureSet | str:
    """A model, from a member of `FeatureSet`, its name, the name of a model, or a path."""
    if isinstance(given, FeatureSet):
        return given
    name = given.name if isinstance(given, enum.Enum) else given
    if not isinstance(name, str | os.PathLike):
        raise ArgumentError(f"feature_set {given!r}: expected a member of FeatureSet, or the name or path of a model")
    name = os.fspath(name)
    if _OPENSMILE_SETS.fullmatch(name):
        return FeatureSet[name]  # which says what there is
    return next((member for member in FeatureSet if name in (member.name, member.value)), name)
