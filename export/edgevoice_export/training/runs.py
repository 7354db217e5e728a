"""The records of training: a run in the lineage of a model, its epochs, and the checkpoint from which it can be resumed."""

from __future__ import annotations

import dataclasses
import io
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgevoice.config import ModelConfig
from edgevoice.errors import EdgeVoiceError, ModelConfigError, ModelFilesError
from edgevoice.files import whole_file
from edgevoice_export.training.settings import Settings


@dataclass(frozen=True)
class Run:
    """One run: a training with settings, the import of weights that DisVoice published, or weights from elsewhere."""

    model: str
    """The result: a name, with the version where it has one."""
    settings: Settings | None = None
    table: bool = False
    """Whether a table named the files and speakers of the data."""
    pad: bool = False
    """Whether files shorter than a window were padded with zeros, not skipped."""
    imported: str | None = None
    """The published file of DisVoice's weights."""
    weights: str | None = None
    """Name and digest of a file of weights that was trained elsewhere, and that cannot be made here again."""

    def to_dict(self) -> dict[str, Any]:
        """The values that differ from the defaults, for JSON and checkpoints."""
        values = dataclasses.asdict(self)
        return {field.name: values[field.name] for field in dataclasses.fields(self) if values[field.name] != field.default}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Run:
        """Make a run from what `to_dict` gave; ModelConfigError for anything else."""
        try:
            settings = dict(data["settings"]) if "settings" in data else None
            if settings is not None and not settings.pop("consistency", 0.0):  # a term that is gone
                settings.pop("consistent_under", None)
            run = cls(**{**data, "settings": None if settings is None else Settings(**settings)})
        except (TypeError, KeyError, EdgeVoiceError) as error:
            raise ModelConfigError(f"origin.lineage: not a run of edgevoice-export ({error})") from error
        if [run.settings, run.imported, run.weights].count(None) != 2:
            raise ModelConfigError("origin.lineage: expected one of settings, imported and weights")
        return run

    def command(self, *, begun_with: Path | None = None, given: Sequence[str] | None = None, out: Path | None = None) -> str:
        """The command of this run, to be read and executed; DIR, CSV and names are in the place of what is None.

        `begun_with` is where the initial weights are; `given` are the options that do not follow from the run.
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
    """The runs that led to a model, its own included; ModelConfigError where `origin.lineage` is not a list of runs."""
    runs = config.origin.get("lineage", ())
    if not isinstance(runs, tuple) or not all(isinstance(run, Mapping) for run in runs):
        raise ModelConfigError("origin.lineage: expected a list of runs")
    return tuple(map(Run.from_dict, runs))


@dataclass(frozen=True)
class Epoch:
    """The measurements at the end of an epoch."""

    epoch: int
    """Number of the epoch, from 1; 0 is the measurement before the first step, for a run with given weights."""
    training: float | None
    """Mean loss of the steps; None for epoch 0."""
    validation: dict[str, float]
    """Mean loss on the validation speakers, by level."""
    seconds: float
    """Seconds since the start of the run, without interruptions."""
    contrast: float | None = None
    """Mean contrast of pairs of windows from one recording, in nats; None where contrast has no weight."""

    @property
    def score(self) -> float:
        """The mean validation loss, by which the best weights are chosen."""
        return math.fsum(self.validation.values()) / len(self.validation)

    def row(self) -> dict[str, float | None]:
        """The row of a table; None where there is no value."""
        contrast = {} if self.contrast is None else {"contrast": self.contrast}
        return {"epoch": self.epoch, "training": self.training, **self.validation, **contrast, "seconds": self.seconds}


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after some steps."""

    run: Run
    earlier: Lineage
    """The runs that led to the initial weights."""
    data: str
    """Digest of the corpus."""
    weights: dict[str, Tensor]
    """As the network's `state_dict` has them."""
    step: int
    history: list[Epoch]
    unfinished: dict[str, Any]
    """What `Steps.state` returned; empty in `best.pt`, from which no run is resumed."""

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        if self.run.settings is None:
            raise ModelConfigError(f"{self.run.model}: was not trained, so that it has no settings")
        return self.run.settings

    def write(self, path: Path) -> None:
        """Write the checkpoint as a complete file; OutputError where that cannot be done."""
        records = {"run": self.run.to_dict(), "earlier": [run.to_dict() for run in self.earlier]}
        content = vars(self) | records | {"history": [dataclasses.asdict(epoch) for epoch in self.history]}
        data = io.BytesIO()  # of a disk that is full PyTorch itself says nothing that can be told from other failures
        torch.save(content, data)
        with whole_file(path) as file:
            file.write(data.getbuffer())
            file.flush()
            os.fsync(file.fileno())  # hours of work, which a power failure must not destroy

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a checkpoint; only tensors and plain values are accepted, never code.

        Raises:
            ModelFilesError: the file cannot be read.
            ModelConfigError: it is not a checkpoint of this version.
        """
        content = load_tensors(path, str(path))
        try:
            content["run"] = Run.from_dict(content["run"])
            content["earlier"] = tuple(map(Run.from_dict, content["earlier"]))
            content["history"] = [Epoch(**epoch) for epoch in content["history"]]
            return cls(**content)
        except (KeyError, TypeError, ModelConfigError) as error:
            raise ModelConfigError(
                f"{path}: not a checkpoint of this version of edgevoice-export: use the one that wrote it, or train again"
            ) from error


def load_tensors(file: Path | io.BytesIO, name: str) -> dict[str, Any]:
    """Read a dictionary of tensors and plain values that `torch.save` wrote; ModelConfigError where it is something else."""
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelFilesError(f"{name}: cannot be read ({error.strerror})") from error
    except Exception as error:  # PyTorch lets pass whatever a file of another kind leads to
        raise ModelConfigError(f"{name}: not a file of weights ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise ModelConfigError(f"{name}: not a file of weights (holds {type(content).__name__})")
    return content
