"""`edgevoice-export retrain`: all the runs that led to a model, one after the other."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, parser_of
from edgevoice.errors import ArgumentError
from edgevoice.modelfolder import CONFIG_FILE, find_model
from edgevoice_export.cli.common import add_data_options, add_machine_options, tell
from edgevoice_export.cli.train import train_model
from edgevoice_export.publish.disvoice import find_published, import_published
from edgevoice_export.publish.export import Description
from edgevoice_export.training.lineage import Run, model_lineage
from edgevoice_export.training.loop import CHECKPOINT
from edgevoice_export.training.weights import read_weights


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "retrain")
    parser.add_argument("model", help="by name or path; its model.json has the settings of all runs")
    add_data_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="MODELFOLDER", help="the model folder to write")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="for what earlier runs make (default: MODELFOLDER.runs)")
    parser.add_argument(
        "--disvoice", type=Path, metavar="PATH", help="a wheel or folder of DisVoice, if a run began with that"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="the weights trained elsewhere, if a run began with such"
    )
    add_machine_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the commands, and run none")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand. Runs that an interrupted call has completed are not repeated."""
    source = find_model(options.model)
    lineage = model_lineage(source.config)
    if not lineage or lineage[-1].settings is None:
        raise ArgumentError(f"{source.path}: its model.json has no training run")
    earlier = options.runs or options.out.with_name(f"{options.out.name}.runs")
    begun_with: Path | None = None
    for place, step in enumerate(lineage, 1):
        name, _, version = step.model.partition(" ")
        out = options.out if place == len(lineage) else earlier / str(place) / name
        described = Description(name, version or Description.version)
        command = step.command(begun_with=begun_with, given=_given(options, described), out=out)
        if step.weights is not None:
            if options.dry_run:
                show(command)
            begun_with = _given_weights(options.weights, step) if options.weights or not options.dry_run else None
            continue
        if options.dry_run:
            show(command)
        elif (out / CONFIG_FILE).is_file():
            tell(f"{out} already exists")
        else:
            tell(f"runs {command}")
            if code := _do(step, begun_with, options, out, described):
                tell("run the same command again to continue")
                return code
        begun_with = out
    return 0


def _given_weights(path: Path | None, step: Run) -> Path:
    """The file with the weights that a run begins with, after a check of its digest."""
    if path is None:
        raise ArgumentError(
            f"{step.model} begins with {step.weights}, which was trained elsewhere: give that file with --weights"
        )
    found = read_weights(path).lineage[0].weights or ""
    if found.partition(" ")[2] != str(step.weights).partition(" ")[2]:
        raise ArgumentError(f"--weights {path}: is {found}, expected {step.weights}")
    return path


def _do(step: Run, begun_with: Path | None, options: argparse.Namespace, out: Path, described: Description) -> int:
    """Execute one run; return the exit code."""
    if step.settings is None:
        wanted = [found for found in find_published(options.disvoice) if found.name == step.imported]
        if not wanted:
            raise ArgumentError(f"--disvoice {options.disvoice}: has no {step.imported}, which {step.model} is made of")
        import_published(wanted[0], out.parent)
        return 0
    checkpoints = out.with_name(f"{out.name}.training")
    resume = (checkpoints / CHECKPOINT).is_file()
    if resume:
        tell(f"continues from {checkpoints}")
    asked = argparse.Namespace(**{**vars(options), "pad": options.pad or step.pad, "keep": True})
    initial = read_weights(begun_with) if begun_with else None
    return train_model(step.settings, initial, asked, out, described, checkpoints, resume=resume)


def _given(options: argparse.Namespace, described: Description) -> list[str]:
    """The options of a training that do not come from its run."""
    words = ["--data", str(options.data), "--device", options.device]
    for name in ("table", "cache", "threads"):
        if getattr(options, name) is not None:
            words += [f"--{name}", str(getattr(options, name))]
    words += ["--pad"] if options.pad else []
    return [*words, "--name", described.name, "--model-version", described.version]
