"""The lineage of weights: all runs that led to them, in order, with their settings."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevoice.config import ModelConfig
from edgevoice.errors import EdgeVoiceError, ModelConfigError
from edgevoice_export.training.settings import Settings


@dataclass(frozen=True)
class Run:
    """One run: a training, the import of weights that DisVoice published, or weights that were trained elsewhere."""

    model: str
    """The result: a name, with the version where it has one."""
    settings: Settings | None = None
    """The settings of a training; None for an import."""
    table: bool = False
    """Whether a table named the files and speakers of the data."""
    pad: bool = False
    """Whether files shorter than a window were padded with zeros, not skipped."""
    imported: str | None = None
    """The published file of DisVoice's weights; None for other runs."""
    weights: str | None = None
    """Name and digest of a file of weights that was trained elsewhere, and that cannot be made here again."""

    def to_dict(self) -> dict[str, Any]:
        """The values that differ from the defaults, for JSON and checkpoints."""
        values = dataclasses.asdict(self)
        return {field.name: values[field.name] for field in dataclasses.fields(self) if values[field.name] != field.default}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Run:
        """Make a run from what `to_dict` gave.

        Raises:
            ModelConfigError: it is something else.
        """
        try:
            run = cls(**{**data, "settings": Settings(**data["settings"]) if "settings" in data else None})
        except (TypeError, KeyError, EdgeVoiceError) as error:
            raise ModelConfigError(f"not a run of edgevoice-export: {error}") from error
        if [run.settings, run.imported, run.weights].count(None) != 2:
            raise ModelConfigError("not a run of edgevoice-export: expected one of settings, imported and weights")
        return run

    def command(self, *, begun_with: Path | None = None, given: Sequence[str] | None = None, out: Path | None = None) -> str:
        """The command of this run, to be read and executed.

        Args:
            begun_with: where the initial weights are; their name if None.
            given: the options that say where the data is, and what is known to the caller alone; if None, DIR and CSV are
                in the place of paths.
            out: the folder to write; if None, MODELFOLDER is in its place.
        """
        if self.weights is not None:
            return f"# begins with {self.weights}, which was trained elsewhere"
        if self.settings is None:
            return shlex.join(["edgevoice-export", "import-disvoice", str(self.imported)])
        if given is None:
            given = ["--data", "DIR", *(["--table", "CSV"] if self.table else [])]
        words = ["edgevoice-export", "train", *self.settings.options(begun_with), *given]
        if self.pad and "--pad" not in words:
            words.append("--pad")
        return shlex.join([*words, "--out", str(out or "MODELFOLDER")])


Lineage = tuple[Run, ...]


def model_lineage(config: ModelConfig) -> Lineage:
    """The runs that led to a model, its own included; none where its `model.json` has none.

    Raises:
        ModelConfigError: `origin.lineage` is not a list of runs.
    """
    runs = config.origin.get("lineage", ())
    if not isinstance(runs, tuple) or not all(isinstance(run, Mapping) for run in runs):
        raise ModelConfigError("origin.lineage: expected a list of runs")
    try:
        return tuple(map(Run.from_dict, runs))
    except ModelConfigError as error:
        raise ModelConfigError(f"origin.lineage: {error}") from error
