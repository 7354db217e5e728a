"""The settings of a training run."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgevoice.errors import ArgumentError
from edgevoice_export.data.changes import CHANGES
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.training.optimisers import OPTIMISERS

_ALL = ",".join(CHANGES)


def _setting(default: Any, meaning: str) -> Any:
    """A field that is an option of `edgevoice-export train`, with what its help says."""
    return dataclasses.field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Settings:
    """Everything that decides the weights, together with the data."""

    arch: str
    units: int
    init: str | None = None
    """The model or checkpoint with the initial weights; None for random weights."""
    epochs: int = _setting(10, "validations over the run")
    epoch_windows: int = _setting(22_500, "training windows between two validations")
    batch: int = _setting(32, "windows per step")
    optimiser: str = "adamw"
    rate: float = 2.5e-3
    """The highest one, reached after `warmup` of the steps; it falls to zero along a cosine."""
    warmup: float = _setting(0.1, "share of the steps in which the rate rises to it")
    decay: float = _setting(0.01, "decoupled weight decay of matrices and kernels")
    clip: float = _setting(1.0, "largest norm of the gradient; it is below 0.05 once a network is trained")
    loss: Literal["mse", "bce"] = "mse"
    jitter_db: float = _setting(1.0, "largest random change of a training window's gain, in dB, up or down")
    augment: float = _setting(0.0, "share of the training windows changed as a narrow line, a codec or noise would")
    changes: str = _setting(_ALL, "what those go through, with commas between; what is listed twice comes twice as often")
    contrast: float = _setting(0.0, "weight of the contrast between windows of one recording and those of others")
    """Half of the windows of a batch are then drawn from the recordings of the other half."""
    temperature: float = _setting(0.1, "what cosines are divided by in it")
    projection: int = _setting(64, "numbers of the projection that it is taken of")
    ordered: float = _setting(0.0, "share of the windows whose code is cut, so that its first numbers are a code too")
    sampler: Literal["host", "device"] = "host"
    """Where spectrograms are computed: by NumPy in the background (`host`), or by PyTorch on the device of the network."""
    bfloat16: float = _setting(0.0, "share of the steps, the first, with a forward pass in bfloat16 (often faster)")
    fixed_norms: float = _setting(0.0, "share of the steps, the last, in which batch norms keep their statistics")
    """From then on a window's reconstruction no longer depends on the others of its batch."""
    validation: float = _setting(0.1, "share of the speakers to validate on")
    validation_windows: int = _setting(2000, "windows to validate on, at most, at each level")
    patience: int = _setting(0, "end after N validations without a lower loss; 0: never")
    seed: int = _setting(0, "of initial weights, split, windows")

    def __post_init__(self) -> None:
        if self.arch not in ARCHITECTURES:
            raise ArgumentError(f"architecture {self.arch!r}: expected one of {', '.join(ARCHITECTURES)}")
        if self.units not in ARCHITECTURES[self.arch].units:
            sizes = ", ".join(map(str, ARCHITECTURES[self.arch].units))
            raise ArgumentError(f"{self.units} units: {self.arch} has one of {sizes}")
        if self.optimiser not in OPTIMISERS:
            raise ArgumentError(f"optimiser {self.optimiser!r}: expected one of {', '.join(OPTIMISERS)}")
        if min(self.epochs, self.epoch_windows, self.batch, self.validation_windows, self.projection) < 1:
            raise ArgumentError("epochs, windows an epoch, batch, validation windows and projection: expected 1 or more")
        for name in ("rate", "clip", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise ArgumentError(f"{name} {getattr(self, name)}: expected a number above 0")
        for name in ("decay", "jitter_db", "contrast", "patience", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ArgumentError(f"{name.replace('_', '-')} {getattr(self, name)}: expected 0 or more")
        if self.seed >= 1 << 64:
            raise ArgumentError(f"seed {self.seed}: expected less than 2^64")
        for name in ("warmup", "augment", "ordered", "bfloat16", "fixed_norms"):
            if not 0 <= getattr(self, name) <= 1:
                raise ArgumentError(f"{name.replace('_', '-')} {getattr(self, name)}: expected a share, from 0 to 1")
        if not set(self.changes.split(",")) <= set(CHANGES):
            raise ArgumentError(f"changes {self.changes!r}: expected some of {_ALL}")
        if self.contrast and self.batch < 4:
            raise ArgumentError(f"batch {self.batch}: a contrast needs two pairs of windows; 4 or more")
        if self.changes != _ALL and not self.augment:
            raise ArgumentError(f"changes {self.changes}: has no effect while augment is 0; raise that too")
        if self.fixed_norms == 1 and self.init is None:
            raise ArgumentError("fixed-norms 1: random weights have no statistics to keep; less, or initial weights")

    def options(self, begun_with: Path | None = None) -> list[str]:
        """The options of `edgevoice-export train` that differ from the defaults; `begun_with` is in the place of `init`."""
        words = ["--arch", self.arch, "--units", str(self.units)]
        for field in dataclasses.fields(self):
            value = begun_with or self.init if field.name == "init" else getattr(self, field.name)
            # With initial weights the command has another default for the rate.
            needed = value != field.default or (field.name == "rate" and self.init is not None)
            if field.default is not dataclasses.MISSING and needed:
                words += [f"--{field.name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
        return words

    @property
    def kinds(self) -> tuple[str, ...]:
        """The changes that windows go through; none while `augment` is 0."""
        return tuple(self.changes.split(",")) if self.augment else ()

    @property
    def keeps_last(self) -> bool:
        """Whether the weights of the last epoch are kept, instead of those with the lowest validation loss."""
        return self.contrast > 0

    @property
    def epoch_steps(self) -> int:
        """Steps between two validations."""
        return math.ceil(self.epoch_windows / self.batch)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.epoch_steps

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        ramp = max(1, round(self.warmup * self.steps))
        if step < ramp:
            return self.rate * (step + 1) / ramp
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - ramp) / max(1, self.steps - ramp)))
