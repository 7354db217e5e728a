"""How weights came about: the commands of all runs that led to them, the first one first."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from edgevoice.config import ModelConfig
from edgevoice.errors import ModelConfigError
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.training.settings import Settings


class Run(NamedTuple):
    """One step on the way."""

    model: str
    """What came of it: a name, and the version where it has one."""
    command: str


Lineage = tuple[Run, ...]


def lineage_of(origin: Mapping[str, Any]) -> Lineage:
    """The runs that a checkpoint or the `origin` of a `model.json` tells of: those of `lineage`, and its own.

    Args:
        origin: where it has a `command`, it has a `model` too.

    Raises:
        ModelConfigError: `lineage` is not what `lineage_told` gives.
    """
    try:
        earlier = tuple(Run(run["model"], run["command"]) for run in origin.get("lineage", ()))
    except (TypeError, KeyError) as error:
        raise ModelConfigError("origin.lineage: expected a list of objects with model and command") from error
    return (*earlier, Run(origin["model"], origin["command"])) if "command" in origin else earlier


def model_lineage(config: ModelConfig) -> Lineage:
    """The runs that led to a model; none where its `model.json` tells of none.

    Raises:
        ModelConfigError: what it tells is not what `lineage_told` gives.
    """
    return lineage_of({"model": f"{config.name} {config.version}", **config.origin})


def lineage_told(runs: Iterable[Run]) -> list[dict[str, str]]:
    """For JSON."""
    return [run._asdict() for run in runs]


def training_command(settings: Settings, corpus: Corpus, name: str) -> str:
    """The command that trains with these settings on this corpus; DIR and CSV stand for where folder and table are."""
    words = ["edgevoice-export", "train", "--arch", settings.arch, "--units", str(settings.units)]
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.default is not dataclasses.MISSING and value != field.default:
            words += [f"--{field.name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    words += ["--data", "DIR"]
    if corpus.table is not None:
        words += ["--table", "CSV"]
    if corpus.shortest < ARCHITECTURES[settings.arch].preprocessing.audio.window:
        words.append("--pad")
    return shlex.join([*words, "--out", f"models/{name}"])
