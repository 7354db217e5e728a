"""The content of `model.json`, which holds all in which one model differs from another, as frozen dataclasses.

Reading is strict: an unknown key, a missing one, a wrong type or an impossible size is a ModelConfigError that names the
path of the key.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from edgevoice.errors import ModelConfigError, ModelFilesError

FORMAT = 2
SILENCE = 2.0**-15
"""Peak below which a window is silent, and the smallest peak that a level divides by: one step of 16-bit audio."""

_NETWORK_FILES = {"encoder.onnx", "decoder.onnx"}
_KINDS = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
_LARGEST_IMAGE, _LARGEST_FILE = 1 << 22, 1 << 24  # values, bytes

# Annotations hold the smallest and the largest value.
Size = Annotated[int, (1, 1 << 22)]
Count = Annotated[int, (0, 1 << 22)]
Share = Annotated[float, (1e-12, 1)]

Section = TypeVar("Section")


def _require(met: bool, key: str, message: str) -> None:
    if not met:
        raise ModelConfigError(f"{key}: {message}")


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """The sampling rate of a model, its window and its hop."""

    rate: Annotated[int, (1, 768_000)]
    """Sampling rate of the model, in hertz."""
    window: Size
    """Samples of a window, from which one frame is computed."""
    hop: Size
    """Samples from the start of one window to the start of the next."""


@dataclass(frozen=True, slots=True)
class LevelConfig:
    """How samples are scaled before the spectrogram is computed."""

    default: str | Annotated[float, (SILENCE, 1 / SILENCE)]
    """Name of a level (see `edgevoice.levels`), or a number: a fixed gain."""
    step: Size
    """Samples between two updates of the running level; windows and hops are multiples of it."""
    mean_rate: Share
    """Share of the distance to the mean of a step by which the running mean moves."""
    decay: Share
    """Factor by which the running peak falls at each step."""
    peak_floor: Annotated[float, (SILENCE, 1)]
    """Smallest value of the running peak."""
    peak_constant: Annotated[float, (0, 1)] = 0.0
    """Added to the peak by the levels `window` and `utterance`; where it is 0, they divide by at least 2^-15."""


@dataclass(frozen=True, slots=True)
class BandsConfig:
    """How the bins of an FFT are combined into bands."""

    scale: Literal["slaney", "bins"]
    """`slaney`: triangles of unit area, evenly spaced on Slaney's Mel scale; `bins`: the first bins of the FFT."""
    count: Size
    low: float
    """Lower edge of the first band, in hertz."""
    high: float
    """Upper edge of the last band, in hertz."""


@dataclass(frozen=True, slots=True)
class LogarithmConfig:
    """The natural logarithm of max(value, floor)."""

    floor: Annotated[float, (1e-37, 1)]


@dataclass(frozen=True, slots=True)
class SpectrogramConfig:
    """How a window's samples become a standardised spectrogram."""

    fft: Annotated[int, (2, 1 << 16)]
    """Samples that one column is computed from."""
    step: Size
    """Samples from the start of one column to the start of the next."""
    taper: Literal["hann", "rectangular"]
    """The taper of a column's samples; Hann means the periodic window."""
    padding: Count
    """Zeros added at both ends of the window."""
    bands: BandsConfig
    spectrum: Literal["power", "magnitude"]
    logarithm: LogarithmConfig | None
    offset: Annotated[float, (-1e30, 1e30)]
    """Standardisation: (x + offset) / divisor."""
    divisor: Annotated[float, (1e-30, 1e30)]
    trim: tuple[Count, Count] = (0, 0)
    """Samples removed at the start and at the end of the window, before padding."""
    blank: Annotated[int, (0, 1024)] = 0
    """Columns of zeros added after the last column."""


@dataclass(frozen=True, slots=True)
class FeaturesConfig:
    """How many numbers a frame has: bottleneck and errors."""

    bottleneck: Annotated[int, (1, 1 << 16)]
    error: Annotated[int, (1, 1 << 16)]


@dataclass(frozen=True, slots=True)
class TypicalConfig:
    """Mean and spread of each descriptor over the speakers for validation, in the frame's order."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]


class FrozenDict(dict[str, Any]):
    """A read-only dictionary. Unlike a MappingProxyType, it can be copied and pickled."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the configuration of a model cannot be changed")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The content of one `model.json`."""

    name: str
    version: str
    licence: str
    summary: str
    audio: AudioConfig
    level: LevelConfig
    spectrogram: SpectrogramConfig
    features: FeaturesConfig
    files: Mapping[str, str] = field(hash=False)
    """Names of the files that are needed to run the model, with their `sha256:` digests."""
    origin: Mapping[str, Any] = field(hash=False)
    """How the model was made. It is for people; the runtime does not read it."""
    training: Mapping[str, str] = field(hash=False, default_factory=FrozenDict)
    """Names and digests of the files that training needs; they may be absent."""
    typical: TypicalConfig | None = None
    """Mean and spread of the descriptors over speech, to which a live picture can be scaled."""
    batch_statistics: bool = False
    """Whether batch norms use the statistics of all windows of a recording; only `compat.disvoice` loads such a model."""
    format: int = FORMAT

    def __post_init__(self) -> None:
        _require(self.format == FORMAT, "format", f"{self.format} is not {FORMAT}, the only one this version reads")
        _require(is_model_name(self.name), "name", f"{self.name!r} is not made of letters, digits, '-', '_' and '.'")
        readable = 0 < len(self.version) <= 200 and self.version.isprintable()  # as a recipe has to have it
        _require(readable, "version", f"{self.version!r:.80} is not 1 to 200 characters that can be printed")
        audio, level, spectrogram, bands = self.audio, self.level, self.spectrogram, self.spectrogram.bands
        for key, value, most in (
            ("audio.hop", audio.hop, audio.window),
            ("spectrogram.step", spectrogram.step, spectrogram.fft),
            ("spectrogram.padding", spectrogram.padding, spectrogram.fft),
            ("spectrogram.bands.count", bands.count, spectrogram.fft),
        ):
            _require(value <= most, key, f"{value} is more than {most}")
        _require(spectrogram.fft % 2 == 0, "spectrogram.fft", f"{spectrogram.fft} is odd")
        _require(
            audio.window % level.step == 0 and audio.hop % level.step == 0,
            "level.step",
            f"the window ({audio.window}) and the hop ({audio.hop}) are not multiples of {level.step}",
        )
        _require(self.columns > spectrogram.blank, "spectrogram.fft", f"{spectrogram.fft} is longer than the window")
        # A filter for each band is as long as the FFT.
        size = bands.count * max(self.columns, spectrogram.fft)
        _require(size <= _LARGEST_IMAGE, "spectrogram", f"{size} values an image or in filters, more than {_LARGEST_IMAGE}")
        edges, highest = f"{bands.low}..{bands.high} Hz", audio.rate / 2
        _require(0 <= bands.low < bands.high <= highest, "spectrogram.bands", f"{edges} is not within 0..{highest}")
        if bands.scale == "bins":
            edge = bands.count * audio.rate / spectrogram.fft
            fits = bands.low == 0 and bands.high == edge
            _require(fits, "spectrogram.bands", f"{edges} is not the 0..{edge} Hz of {bands.count} bins")
        errors = self.features.error
        _require(errors == bands.count, "features.error", f"{errors} is not the number of bands ({bands.count})")
        for key, values in dataclasses.asdict(self.typical).items() if self.typical else ():
            expected = self.features.bottleneck + errors
            _require(len(values) == expected, f"typical.{key}", f"has {len(values)} numbers, expected {expected}")
        _require(set(self.files) >= _NETWORK_FILES, "files", f"does not list {' and '.join(sorted(_NETWORK_FILES))}")
        for key in ("files", "training"):
            for name, digest in getattr(self, key).items():
                plain = name not in {"", ".", ".."} and not any(mark in name for mark in "/\\:")
                _require(plain, f"{key}.{name}", "is not a plain file name")
                _require(is_digest(digest), f"{key}.{name}", f"{digest!r} is not 'sha256:' and 64 hexadecimal digits")
        for key in ("files", "training", "origin"):
            object.__setattr__(self, key, _frozen(getattr(self, key)))

    @property
    def columns(self) -> int:
        """Columns of the spectrogram, including blank ones."""
        spectrogram = self.spectrogram
        samples = self.audio.window - sum(spectrogram.trim) + 2 * spectrogram.padding
        return (samples - spectrogram.fft) // spectrogram.step + 1 + spectrogram.blank

    @classmethod
    def read(cls, path: str | Path) -> ModelConfig:
        """Read a `model.json`.

        Raises:
            ModelFilesError: the file cannot be read.
            ModelConfigError: it is not JSON, or not what the format allows.
        """
        try:
            with Path(path).open("rb") as file:
                text = file.read(_LARGEST_FILE + 1)
            _require(len(text) <= _LARGEST_FILE, "the file", f"is larger than {_LARGEST_FILE >> 20} MiB")
            return cls.from_dict(json.loads(text, object_pairs_hook=_unique))
        except OSError as error:
            raise ModelFilesError(f"{path}: cannot be read ({error.strerror})") from error
        except ModelConfigError as error:
            raise ModelConfigError(f"{path}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ModelConfigError(f"{path}: not JSON ({error})") from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelConfig:
        """Make a configuration from what `to_dict` gave, or from parsed JSON.

        Raises:
            ModelConfigError: a key is unknown, missing, of a wrong type or out of range; the message names its path.
        """
        return _read(cls, data, "")

    def settings(self) -> dict[str, Any]:
        """The sections that decide the input of the networks, as in `to_dict`: audio, level and spectrogram."""
        return {name: _plain(getattr(self, name)) for name in ("audio", "level", "spectrogram")}

    def to_dict(self) -> dict[str, Any]:
        """The configuration as dictionaries, lists, strings and numbers for JSON."""
        data = _plain(self)
        return {"format": data.pop("format"), **data}


def _frozen(value: Any) -> Any:
    """Make dictionaries and lists from JSON immutable."""
    if isinstance(value, Mapping):
        return FrozenDict({key: _frozen(item) for key, item in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def is_model_name(name: str) -> bool:
    """Whether a name is allowed for a model: letters, digits, `-`, `_` and `.`, with at least one letter or digit."""
    return name.replace("-", "").replace("_", "").replace(".", "").isalnum()


def is_digest(text: object) -> bool:
    """Whether something is `sha256:` and 64 hexadecimal digits."""
    return isinstance(text, str) and bool(re.fullmatch("sha256:[0-9a-f]{64}", text))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in pairs:
        _require(key not in data, key, "appears twice")
        data[key] = value
    return data


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {
            item.name: _plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if item.name == "format" or getattr(value, item.name) != _default(item)
        }
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _read(section: type[Section], data: Any, path: str) -> Section:
    if not isinstance(data, Mapping):
        raise ModelConfigError(f"{path or 'the file'}: is not an object")
    prefix = f"{path}." if path else ""
    kinds = typing.get_type_hints(section, include_extras=True)
    fields = {item.name: item for item in dataclasses.fields(section)}  # type: ignore[arg-type]
    for key in data if section is not TypicalConfig else ():  # for pictures only: a newer writer's are ignored
        _require(key in fields, f"{prefix}{key}", f"is unknown; known are {', '.join(fields)}")
    for key, item in fields.items():
        _require(key in data or _default(item) is not dataclasses.MISSING, f"{prefix}{key}", "is missing")
    return section(**{key: _value(kinds[key], data[key], f"{prefix}{key}") for key in fields if key in data})


def _value(kind: Any, value: Any, path: str) -> Any:
    if kind in _KINDS:
        return _scalar(kind, value, path)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        kind, (low, high) = arguments
        number = _value(kind, value, path)
        _require(low <= number <= high, path, f"{number} is not in {low}..{high}")
        return number
    if origin is Literal:
        _require(value in arguments, path, f"{value!r} is not one of {', '.join(map(repr, arguments))}")
        return value
    if origin in (typing.Union, types.UnionType):  # str | float, or a section | None
        if (value is None and types.NoneType in arguments) or (isinstance(value, str) and str in arguments):
            return value
        return _value(next(part for part in reversed(arguments) if part is not types.NoneType), value, path)
    if origin is tuple:  # of one kind of number, as many as are named, or any number of them
        count = None if ... in arguments else len(arguments)
        fits = isinstance(value, list | tuple) and count in (None, len(value))
        _require(fits, path, f"is not a list{f' of {count}' if count else ''}")
        return tuple(_value(arguments[0], item, f"{path}.{k}") for k, item in enumerate(value))
    if origin is Mapping:
        _require(isinstance(value, Mapping), path, "is not an object")
        return {key: _value(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _read(typing.cast("type[Any]", kind), value, path)
    return value


def _scalar(kind: type, value: Any, path: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and number:
        _require(abs(value) <= sys.float_info.max, path, "is not finite")
        return float(value)
    if not isinstance(value, kind) or (kind is int and not number):
        raise ModelConfigError(f"{path}: {value!r:.80} is not {_KINDS[kind]}")
    return value
