"""`edgevoice-export train`: audio folders -> trained weights -> a model folder."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from edgevoice.cli.options import Commands, index, parser_of, positive
from edgevoice.cli.signals import Interrupted, taken_by
from edgevoice.errors import ArgumentError
from edgevoice.wholenumbers import whole_number
from edgevoice_export.cli.common import (
    Audio,
    add_audio_options,
    add_description_options,
    add_machine_options,
    description,
    print_export,
    tell,
)
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.publish.card import Description
from edgevoice_export.publish.export import export_checkpoint
from edgevoice_export.publish.folder import check_place
from edgevoice_export.training.loop import BEST, CHECKPOINT, Progress, train
from edgevoice_export.training.optimisers import OPTIMISERS
from edgevoice_export.training.runs import Checkpoint
from edgevoice_export.training.settings import Settings
from edgevoice_export.training.weights import Weights, read_weights

_OPTIONS = {field.name: field for field in dataclasses.fields(Settings) if "help" in field.metadata}

_ADAPTING = 5e-5
"""Learning rate for a trained model. With the rate for new models, it loses more than a few recordings can teach it."""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "train")
    parser.add_argument("--arch", choices=ARCHITECTURES, help="which network (default: that of --init)")
    parser.add_argument("--units", type=positive, help="numbers in the bottleneck (default: those of --init)")
    add_audio_options(parser)
    add_description_options(parser)
    group = parser.add_argument_group("training")
    for name, field in _OPTIONS.items():
        default: Any = field.default
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=index if type(default) is int else type(default),
            default=default,
            help=f"{field.metadata['help']} (default: {default})",
        )
    group.add_argument(
        "--rate",
        type=float,
        help=f"highest learning rate, of one cycle over the run (default: {Settings.rate:g}; with --init {_ADAPTING:g}: a "
        "trained model should change little)",
    )
    group.add_argument("--optimiser", choices=OPTIMISERS, default="adamw", help="default: adamw; soap suits LSTMs")
    group.add_argument(
        "--sampler",
        choices=("host", "device"),
        help="where spectrograms are made: by NumPy in the background, or by PyTorch where the network is (default: host on "
        "the CPU, device on CUDA)",
    )
    group.add_argument("--loss", choices=("mse", "bce"), help="default: the architecture's")
    group.add_argument("--init", metavar="MODEL", help="begin with the weights of a model or checkpoint, as wide or wider")
    group.add_argument("--keep", action="store_true", help="export the model even if it is not better than --init")
    group.add_argument("--resume", action="store_true", help="go on from the last checkpoint, to the same result")
    add_machine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand."""
    initial = read_weights(options.init) if options.init else None
    settings = _settings(options, initial)
    described = description(options)
    check_place(options.out)
    job = Job(settings, Audio.of(options), options.out, described, options.device, options.threads, options.keep)
    if not options.resume and (job.run_folder / CHECKPOINT).exists():
        raise ArgumentError(f"{job.run_folder}: already contains a run; resume it with --resume, or remove it")
    return job.run(initial, resume=options.resume)


@dataclass(frozen=True)
class Job:
    """A model to train and export. Its run is kept beside the model folder, in `MODELFOLDER.training`."""

    settings: Settings
    audio: Audio
    out: Path
    described: Description
    device: str
    threads: int | None
    keep: bool
    """Whether a model is exported that is no better than the one that the run began with."""

    @property
    def run_folder(self) -> Path:
        """The folder of the run."""
        return self.out.with_name(f"{self.out.name}.training")

    def run(self, initial: Weights | None, *, resume: bool) -> int:
        """Train, from initial weights or from the run's checkpoint on, and export; return the exit code."""
        settings, folder = self.settings, self.run_folder
        if self.threads:
            torch.set_num_threads(whole_number("threads", self.threads, 1, 1024))  # PyTorch crashes beyond what it can start
        corpus = self.audio.read(ARCHITECTURES[settings.arch].preprocessing.audio)
        stopping: list[int] = []

        def stop(number: int, _frame: object) -> None:
            if stopping:  # asked twice: at once
                raise Interrupted(number)
            stopping.append(number)

        options: dict[str, Any] = {"resume": resume, "initial": initial, "device": self.device}
        total = settings.steps * settings.batch
        with taken_by(stop), tqdm(total=total, unit=" windows", disable=None, smoothing=0.05) as bar:
            report = partial(_report, bar, settings)
            done = train(settings, corpus, folder, report=report, stopped=lambda: bool(stopping), **options)
        if not done:
            tell(f"stopped; run the same command with --resume to continue from {folder}")
            return 128 + stopping[0]
        tell(f"the weights are in {folder / BEST}")
        history = Checkpoint.read(folder / BEST).history
        if history[-1].epoch == 0 and not self.keep:
            tell(
                f"no epoch was better than {settings.init}, with which the run began ({history[0].score:.3e}): nothing is "
                "exported. Try a lower --rate, more recordings, or more windows; --keep exports it all the same"
            )
            return 1
        print_export(*export_checkpoint(folder / BEST, corpus, self.out, self.described, initial=initial))
        return 0


def _report(bar: Any, settings: Settings, progress: Progress) -> None:
    """Show a progress bar on a terminal, and a line per epoch."""
    epoch = min(progress.step // settings.epoch_steps + 1, settings.epochs)
    bar.set_description(f"epoch {epoch}/{settings.epochs}", refresh=False)
    bar.set_postfix(loss=f"{progress.loss:.2e}", refresh=False)
    bar.update(progress.step * settings.batch - bar.n)
    if progress.step % settings.epoch_steps == 0 and progress.history:
        row = progress.history[-1].row()
        losses = "  ".join(f"{name} {row[name]:.3e}" for name in row if row[name] and name not in {"epoch", "seconds"})
        line = f"epoch {row['epoch']}/{settings.epochs}  {losses}  {progress.windows_per_second:.0f} windows/s"
        with bar.external_write_mode(sys.stderr):
            tell(f"{line}  {progress.seconds_left / 60:.0f} min left")


def _settings(options: argparse.Namespace, initial: Weights | None) -> Settings:
    """The settings from the options; network and size come from the initial weights, if there are any."""
    arch, units = options.arch, options.units
    if initial:
        arch, units = arch or initial.arch, units or initial.units
        if initial.arch != arch or initial.units < units:
            raise ArgumentError(f"{options.init}: is {initial.arch} of {initial.units} units, not {arch} of {units}")
    if arch is None or units is None:
        raise ArgumentError("no network was chosen: give --arch and --units, or --init")
    chosen = {name: getattr(options, name) for name in _OPTIONS}
    # Only the name: where a model is kept on one computer has no meaning on another.
    init = Path(options.init).resolve().name if options.init else None
    chosen["rate"] = options.rate if options.rate is not None else _ADAPTING if initial else Settings.rate
    chosen |= {"optimiser": options.optimiser, "loss": options.loss or ARCHITECTURES[arch].loss}
    chosen["sampler"] = options.sampler or ("device" if options.device == "cuda" else "host")
    return Settings(arch, units, init, **chosen)
