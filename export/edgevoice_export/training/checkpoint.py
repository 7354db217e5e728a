"""The file of a training run, from which it can be resumed or exported, and from which another run can begin."""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgevoice.errors import ModelConfigError, ModelFilesError
from edgevoice.files import whole_file
from edgevoice_export.training.history import Epoch
from edgevoice_export.training.lineage import Lineage, Run
from edgevoice_export.training.settings import Settings


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after some steps."""

    run: Run
    """The run itself, a training."""
    earlier: Lineage
    """The runs that led to the initial weights."""
    data: str
    """Digest of the corpus."""
    weights: dict[str, Tensor]
    """As the network's `state_dict` has them."""
    step: int
    """The number of steps so far."""
    history: list[Epoch]
    unfinished: dict[str, Any]
    """The state needed to resume: that of the `optimiser`, and `losses` and `distances` since the last validation.
    Empty in `best.pt`, from which no run is resumed.
    """

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        if self.run.settings is None:
            raise ModelConfigError(f"{self.run.model}: was not trained, so that it has no settings")
        return self.run.settings

    def write(self, path: Path) -> None:
        """Write the checkpoint as a complete file.

        Raises:
            OutputError: it cannot be written.
        """
        content = {
            "run": self.run.to_dict(),
            "earlier": [run.to_dict() for run in self.earlier],
            "data": self.data,
            "weights": self.weights,
            "step": self.step,
            "history": [dataclasses.asdict(epoch) for epoch in self.history],
            "unfinished": self.unfinished,
        }
        with whole_file(path) as file:
            torch.save(content, file)
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
    """Read a dictionary of tensors and plain values that `torch.save` wrote.

    Raises:
        ModelFilesError: the file cannot be read.
        ModelConfigError: it holds something else.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelFilesError(f"{name}: cannot be read ({error.strerror})") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise ModelConfigError(f"{name}: not a file of weights ({reason})") from error
    if not isinstance(content, dict):
        raise ModelConfigError(f"{name}: not a file of weights (holds {type(content).__name__})")
    return content
