"""Recipes: the settings with which features or tables were computed, and how recordings are read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from edgevoice import __version__
from edgevoice.audio.samples import check_channel
from edgevoice.config import ModelConfig, is_digest, is_model_name
from edgevoice.errors import ArgumentError
from edgevoice.windows import find_hop

_RESAMPLER = "soxr HQ"
_RECORDED = ("edgevoice", "onnxruntime", "model", "version", "device")
"""Fields that are recorded and do not decide the numbers: versions, names, the device."""


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def _number(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= 1e9


def _networks(value: object) -> bool:
    return isinstance(value, dict) and all(_text(name) and is_digest(digest) for name, digest in value.items())


def _one_of(*values: object) -> Callable[[object], bool]:
    return lambda value: any(type(value) is type(known) and value == known for known in values)


def _is(check: Callable[[Any], bool]) -> dict[str, Any]:
    """What a field may be. A recipe that is read comes from anybody: nothing else of it is accepted, or obeyed."""
    return {"is": check}


@dataclass(frozen=True, slots=True)
class Reading:
    """How recordings are read: the arguments of `Extractor.extract`."""

    level: str | float | None = None
    hop: float | None = None
    channel: int | str | None = None
    """`each`, for a corpus, reads all channels, one by one."""
    pad: bool = False
    incomplete: str = "error"

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """How what has this recipe was read."""
        return cls(recipe.level, recipe.hop, recipe.channel, recipe.pad, recipe.incomplete)


AS_IT_IS = Reading()
"""As the model has it, without changes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings that decide the numbers of features or of a table, and other facts recorded with them.

    It equals another where every field does; `deciding` holds those fields that two tables must share to be one.
    """

    edgevoice: str = field(metadata=_is(_text))
    """Version of this package."""
    onnxruntime: str | None = field(metadata=_is(lambda value: value is None or _text(value)))
    """Version of ONNX Runtime; None where it was not loaded."""
    model: str = field(metadata=_is(lambda value: isinstance(value, str) and is_model_name(value)))
    version: str = field(metadata=_is(_text))
    networks: tuple[tuple[str, str], ...] = field(metadata=_is(_networks))
    """Names of the model's networks, sorted, each with its `sha256:` digest."""
    settings: str = field(metadata=_is(is_digest))
    """`sha256:` digest of the model's audio, level and spectrogram settings."""
    device: str = field(metadata=_is(_text))
    level: str | float = field(metadata=_is(lambda value: _text(value) or _number(value)))
    hop: float = field(metadata=_is(_number))
    """Seconds from one window to the next."""
    channel: int | str | None = field(
        metadata=_is(lambda value: _one_of(None, "each")(value) or (type(value) is int and 0 <= value < 1 << 31))
    )
    """The channel that was read; `each` for all channels one by one, None for their mean."""
    pad: bool = field(metadata=_is(_one_of(True, False)))
    """Whether audio shorter than a window was padded with zeros."""
    resampler: str = field(metadata=_is(_one_of(_RESAMPLER)))
    descriptors: str = field(metadata=_is(_one_of("all", "bottleneck", "error")))
    """`all`, `bottleneck` or `error`."""
    incomplete: str = field(default="error", metadata=_is(_one_of("error", "keep")))
    """What was done with files that are not complete: `error`, or `keep` what is there."""
    static: bool | None = field(default=None, metadata=_is(_one_of(True, False, None)))
    """Whether a row is a recording, not a frame; None for features, which are not a table yet."""

    @classmethod
    def of(cls, config: ModelConfig, reading: Reading = AS_IT_IS, device: str = "cpu", descriptors: str = "all") -> Recipe:
        """The recipe of what is read in this way with this model; the other arguments as in `load`.

        Raises:
            ArgumentError: hop, channel or `incomplete` are not what `extract` takes.
        """
        each = isinstance(reading.channel, str) and reading.channel == "each"
        if not isinstance(reading.incomplete, str) or reading.incomplete not in ("error", "keep"):
            raise ArgumentError(f"incomplete {reading.incomplete!r}: expected 'error' or 'keep'")
        level = config.level.default if reading.level is None else reading.level
        return cls(
            edgevoice=__version__,
            onnxruntime=getattr(sys.modules.get("onnxruntime"), "__version__", None),
            model=config.name,
            version=config.version,
            networks=tuple(sorted(config.files.items())),
            settings=f"sha256:{_digest(config.settings())}",
            device=device,
            level=level if isinstance(level, str) else float(level),
            hop=find_hop(reading.hop, config) / config.audio.rate,
            channel="each" if each else check_channel(reading.channel, None),
            pad=bool(reading.pad),
            resampler=_RESAMPLER,
            descriptors=descriptors,
            incomplete=reading.incomplete,
        )

    def deciding(self) -> dict[str, Any]:
        """The fields that decide the numbers, for JSON: all except versions, names and the device."""
        return {key: value for key, value in self.to_dict().items() if key not in _RECORDED}

    def digest(self) -> str:
        """SHA-256 of the deciding fields, in hexadecimal digits."""
        return _digest(self.deciding())

    def differences(self, other: Recipe) -> list[str]:
        """The deciding fields that differ from another recipe, with a phrase for each."""
        mine, theirs = self.deciding(), other.deciding()
        return [
            key if key in ("networks", "settings") else f"{key} {theirs[key]!r}, not {mine[key]!r}"
            for key in mine
            if mine[key] != theirs[key]
        ]

    def to_dict(self) -> dict[str, Any]:
        """The recipe as dictionaries, strings and numbers."""
        return {**dataclasses.asdict(self), "networks": dict(self.networks)}

    def to_json(self) -> str:
        """The recipe as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Recipe:
        """Read a recipe that `to_json` wrote.

        Raises:
            ArgumentError: it is no recipe; the message names the fields that are unknown, missing or not as they should be.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(f"no recipe of EdgeVoice ({error})") from error
        if not isinstance(data, dict):
            raise ArgumentError("no recipe of EdgeVoice (it is no object)")
        checks = {item.name: item.metadata["is"] for item in dataclasses.fields(cls)}
        for problem, names in (
            ("has more than a recipe's fields", data.keys() - checks.keys()),
            ("lacks", checks.keys() - data.keys()),
            ("cannot have this value of", {key for key in checks.keys() & data.keys() if not checks[key](data[key])}),
        ):
            if names:
                raise ArgumentError(f"no recipe of EdgeVoice (it {problem}: {', '.join(sorted(names))})")
        level = data["level"] if isinstance(data["level"], str) else float(data["level"])
        networks = tuple(sorted(data["networks"].items()))
        return cls(**{**data, "networks": networks, "level": level, "hop": float(data["hop"])})


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, allow_nan=False).encode()).hexdigest()
