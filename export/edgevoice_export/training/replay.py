"""The runs that led to a model, once more: each from what the one before it makes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice_export.training.lineage import Lineage


@dataclass(frozen=True)
class Step:
    """One run."""

    words: tuple[str, ...]
    """The words after `edgevoice-export`."""
    out: Path
    """The model folder that it makes."""


def replay(lineage: Lineage, out: Path, earlier: Path, given: Sequence[str], disvoice: Path | None) -> list[Step]:
    """The runs of a lineage, the first one first.

    Args:
        lineage: as `lineage_of` gives it.
        out: the model folder that the last run makes.
        earlier: folder for what the runs before it make.
        given: options of every training: which data, on what device.
        disvoice: where DisVoice's weights are, as `import-disvoice` takes it.
    """
    steps: list[Step] = []
    for place, run in enumerate(lineage, 1):
        name, _, version = run.model.partition(" ")
        made = out if place == len(lineage) else earlier / str(place) / name
        command, *options = shlex.split(run.command)[1:]
        if command == "import-disvoice":
            source = [] if disvoice is None else [str(disvoice)]
            words = [command, *source, "--out", str(made.parent)]
        else:
            described = ["--name", name, *(["--model-version", version] if version else [])]
            begun = ["--init", str(steps[-1].out)] if steps else []
            replaced = {"--data", "--table", "--out", *begun[:1]}
            words = [command, *_without(options, replaced), *begun, *given, *described, "--out", str(made)]
        steps.append(Step(tuple(words), made))
    return steps


def _without(words: Sequence[str], options: set[str]) -> list[str]:
    """Words of a command without some options and the values that follow them."""
    kept = []
    values = iter(words)
    for word in values:
        if word in options:
            next(values)
        else:
            kept.append(word)
    return kept
