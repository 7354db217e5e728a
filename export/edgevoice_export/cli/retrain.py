"""`edgevoice-export retrain`: all the runs that led to a model, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, calls, parser_of
from edgevoice.errors import ArgumentError
from edgevoice.modelfolder import CONFIG_FILE, find_model
from edgevoice_export.cli.common import Audio, add_audio_options, add_machine_options, tell
from edgevoice_export.cli.train import Job
from edgevoice_export.publish.card import Description
from edgevoice_export.publish.disvoice import find_published, import_published
from edgevoice_export.publish.folder import check_place
from edgevoice_export.training.loop import CHECKPOINT
from edgevoice_export.training.runs import Run, model_lineage
from edgevoice_export.training.weights import read_weights


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "retrain")
    parser.add_argument("model", help="by name or path; its model.json has the settings of all runs")
    add_audio_options(parser)
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
    calls(parser, Retraining, run)


@dataclass(frozen=True)
class Retraining:
    """What the subcommand was asked for."""

    model: str
    audio: Audio
    out: Path
    runs: Path | None
    disvoice: Path | None
    weights: Path | None
    device: str
    threads: int | None
    dry_run: bool


def run(options: Retraining) -> int:
    """Run the subcommand. Runs that an interrupted call has completed are not repeated."""
    source = find_model(options.model)
    check_place(options.out)
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
        if options.dry_run:
            show(command)
        if step.weights is not None:
            begun_with = _weights(options, step) if options.weights or not options.dry_run else None
            continue
        if not options.dry_run and (out / CONFIG_FILE).is_file():
            tell(f"{out} already exists")
        elif not options.dry_run:
            tell(f"runs {command}")
            if code := do(options, step, begun_with, out, described):
                tell("run the same command again to continue")
                return code
        begun_with = out
    return 0


def _weights(options: Retraining, step: Run) -> Path:
    """The file with the weights that a run begins with, after a check of its digest."""
    if options.weights is None:
        raise ArgumentError(
            f"{step.model} begins with {step.weights}, which was trained elsewhere: give that file with --weights"
        )
    found = read_weights(options.weights).lineage[0].weights or ""
    if found.partition(" ")[2] != str(step.weights).partition(" ")[2]:
        raise ArgumentError(f"--weights {options.weights}: is {found}, expected {step.weights}")
    return options.weights


def do(options: Retraining, step: Run, begun_with: Path | None, out: Path, described: Description) -> int:
    """Execute one run; return the exit code."""
    if step.settings is None:
        wanted = [found for found in find_published(options.disvoice) if found.name == step.imported]
        if not wanted:
            raise ArgumentError(f"--disvoice {options.disvoice}: has no {step.imported}, which {step.model} is made of")
        import_published(wanted[0], out.parent)
        return 0
    audio = replace(options.audio, pad=options.audio.pad or step.pad)
    job = Job(step.settings, audio, out, described, options.device, options.threads, keep=True)
    resume = (job.run_folder / CHECKPOINT).is_file()
    if resume:
        tell(f"continues from {job.run_folder}")
    return job.run(read_weights(begun_with) if begun_with else None, resume=resume)


def _given(options: Retraining, described: Description) -> list[str]:
    """The options of a training that do not come from its run."""
    words = [*options.audio.words(), "--device", options.device]
    words += ["--threads", str(options.threads)] if options.threads else []
    return [*words, "--name", described.name, "--model-version", described.version]
