"""Recipes: the settings with which features or tables were computed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from dataclasses import dataclass
from typing import Any

from edgevoice import __version__
from edgevoice.config import ModelConfig
from edgevoice.errors import ArgumentError

_RESAMPLER = "soxr HQ"
_RECORDED = ("edgevoice", "onnxruntime", "model", "version", "device", "command")
"""Fields that are recorded and do not decide the numbers: versions, names, the device."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings that decide the numbers of features or of a table, and other facts recorded with them.

    It equals another where every field does; `deciding` holds those fields that two tables must share to be one.
    """

    edgevoice: str
    """Version of this package."""
    onnxruntime: str | None
    """Version of ONNX Runtime; None where it was not loaded."""
    model: str
    version: str
    networks: dict[str, str]
    """Names of the model's networks, with their `sha256:` digests."""
    settings: str
    """`sha256:` digest of the model's audio, level and spectrogram settings."""
    device: str
    level: str | float
    hop: float
    """Seconds from one window to the next."""
    channel: int | str | None
    """The channel that was read; `each` for all channels one by one, None for their mean."""
    pad: bool
    """Whether audio shorter than a window was padded with zeros."""
    resampler: str
    descriptors: str
    """`all`, `bottleneck` or `error`."""
    incomplete: str = "error"
    """Whether a damaged file is an `error`, or what is there of it is read: `keep`."""
    static: bool | None = None
    """Whether a row is a recording, not a frame; None for features, which are not a table yet."""
    command: tuple[str, ...] = ()
    """The command line that wrote the table, with paths relative to the folder of the table."""

    @classmethod
    def of(
        cls,
        config: ModelConfig,
        *,
        device: str = "cpu",
        descriptors: str = "all",
        level: str | float | None = None,
        hop: float | None = None,
        channel: int | str | None = None,
        pad: bool = False,
        incomplete: str = "error",
    ) -> Recipe:
        """Make the recipe for an extractor with this model; arguments as in `load` and `extract`."""
        runtime = sys.modules.get("onnxruntime")
        return cls(
            edgevoice=__version__,
            onnxruntime=getattr(runtime, "__version__", None),
            model=config.name,
            version=config.version,
            networks=dict(sorted(config.files.items())),
            settings=f"sha256:{_digest(config.settings())}",
            device=device,
            level=_level(config.level.default if level is None else level),
            hop=config.audio.hop / config.audio.rate if hop is None else float(hop),
            channel=channel,
            pad=bool(pad),
            resampler=_RESAMPLER,
            descriptors=descriptors,
            incomplete=incomplete,
        )

    def deciding(self) -> dict[str, Any]:
        """The fields that decide the numbers, for JSON: all except versions, names, the device and the command."""
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
        """The recipe as dictionaries, lists, strings and numbers."""
        return {item.name: _plain(getattr(self, item.name)) for item in dataclasses.fields(self)}

    def to_json(self) -> str:
        """The recipe as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Recipe:
        """Read a recipe that `to_json` wrote; fields that a later version has added are ignored.

        Raises:
            ArgumentError: it is no recipe.
        """
        try:
            data = json.loads(text)
            names = {item.name for item in dataclasses.fields(cls)}
            known = {key: value for key, value in data.items() if key in names}
            return cls(**{**known, "command": tuple(known["command"])})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ArgumentError(f"no recipe of EdgeVoice ({error})") from error


def _level(level: str | float) -> str | float:
    return level if isinstance(level, str) else float(level)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, dict) else value


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, allow_nan=False).encode()).hexdigest()
