"""The settings of a training run."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgevoice.errors import ArgumentError
from edgevoice_export.data.changes import CHANGES
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.training.optimisers import OPTIMISERS


@dataclass(frozen=True)
class Settings:
    """Everything that decides the weights, together with the data."""

    arch: str
    units: int
    init: str | None = None
    """The model or checkpoint with the initial weights; None for random weights."""
    epochs: int = 10
    epoch_windows: int = 22_500
    """Training windows between two validations."""
    batch: int = 32
    optimiser: str = "adamw"
    """The name of the optimiser: adamw or soap."""
    rate: float = 2.5e-3
    """Highest learning rate. It is reached after `warmup` of the steps, and falls to zero along a cosine."""
    warmup: float = 0.1
    decay: float = 0.01
    """Decoupled weight decay of matrices and kernels."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    loss: Literal["mse", "bce"] = "mse"
    jitter_db: float = 1.0
    """Largest random change of a training window's gain, in dB, up or down."""
    augment: float = 0.0
    """Share of the training windows that are changed."""
    changes: str = ",".join(CHANGES)
    """The changes, separated by commas. All entries are equally likely; a name may occur twice."""
    consistency: float = 0.0
    """Weight of the distance between the codes of changed windows and of the same windows unchanged, beside the
    reconstruction error (see `consistency`). The twin of a changed window takes the place of an unchanged one: of a batch,
    no more count than there are unchanged ones."""
    consistent_under: str = ",".join(CHANGES)
    """The changes for which consistency counts, separated by commas."""
    contrast: float = 0.0
    """Weight of the contrast between windows of one recording and those of others, beside the reconstruction error (see
    `contrast`). Half of the windows of a batch are then drawn from the recordings of the other half."""
    temperature: float = 0.1
    """The temperature by which cosines are divided."""
    projection: int = 64
    """The size of the projection for contrast."""
    sampler: Literal["host", "device"] = "host"
    """Where spectrograms are computed: by NumPy in the background (`host`), or by PyTorch on the device of the network."""
    bfloat16: float = 0.0
    """Share of the steps, from the first on, whose forward pass runs in bfloat16."""
    fixed_norms: float = 0.0
    """Share of the steps, the last ones, in which batch norms keep the statistics that they have: from then on a window's
    reconstruction no longer depends on the others of its batch."""
    validation: float = 0.1
    """Share of the speakers who are used for validation."""
    validation_windows: int = 2000
    """Largest number of windows for validation, at each level."""
    patience: int = 0
    """The run ends after this many epochs without a lower validation loss; 0 means never."""
    seed: int = 0

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
        for name in ("decay", "jitter_db", "consistency", "contrast", "patience", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ArgumentError(f"{name.replace('_', '-')} {getattr(self, name)}: expected 0 or more")
        for name in ("warmup", "augment", "bfloat16", "fixed_norms"):
            if not 0 <= getattr(self, name) <= 1:
                raise ArgumentError(f"{name.replace('_', '-')} {getattr(self, name)}: expected a share, from 0 to 1")
        if self.consistency and not 0 < self.augment < 1:
            raise ArgumentError(f"consistency {self.consistency}: expected augment between 0 and 1, for pairs to compare")
        for name in ("changes", "consistent_under"):
            if not set(listed(getattr(self, name))) <= set(CHANGES):
                expected = f"expected some of {','.join(CHANGES)}"
                raise ArgumentError(f"{name.replace('_', '-')} {getattr(self, name)!r}: {expected}")
        for name, weight in (("changes", "augment"), ("consistent_under", "consistency")):
            if getattr(self, name) != getattr(Settings, name) and not getattr(self, weight):
                option = name.replace("_", "-")
                raise ArgumentError(f"{option} {getattr(self, name)}: has no effect while {weight} is 0; raise that too")
        if set(listed(self.changes)).isdisjoint(listed(self.consistent_under)):
            raise ArgumentError(f"consistent-under {self.consistent_under}: none of the changes {self.changes}")
        if self.fixed_norms == 1 and self.init is None:
            raise ArgumentError("fixed-norms 1: random weights have no statistics to keep; less, or initial weights")

    def options(self, begun_with: Path | None = None) -> list[str]:
        """The options of `edgevoice-export train` that give these settings, where they differ from the defaults.

        Args:
            begun_with: where the initial weights are; their name if None.
        """
        words = ["--arch", self.arch, "--units", str(self.units)]
        for field in dataclasses.fields(self):
            value = begun_with or self.init if field.name == "init" else getattr(self, field.name)
            # With initial weights the command has another default for the rate.
            told = field.name == "rate" and self.init is not None
            if field.default is not dataclasses.MISSING and (value != field.default or told):
                words += [f"--{field.name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
        return words

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


def listed(words: str) -> tuple[str, ...]:
    """Split a setting that is a list."""
    return tuple(words.split(","))
