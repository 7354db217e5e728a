"""`edgevoice-export retrain`: all the runs that led to a model, one after the other."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, parser_of
from edgevoice.errors import ArgumentError
from edgevoice.modelfolder import CONFIG_FILE, find_model
from edgevoice_export.cli import main
from edgevoice_export.cli.common import add_data_options, add_machine_options, tell
from edgevoice_export.training.lineage import model_lineage
from edgevoice_export.training.loop import CHECKPOINT
from edgevoice_export.training.replay import Step, replay


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "retrain")
    parser.add_argument("model", help="by name or path; its model.json has the commands")
    add_data_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="MODELFOLDER", help="the model folder to write")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="for what earlier runs make (default: MODELFOLDER.runs)")
    parser.add_argument(
        "--disvoice", type=Path, metavar="PATH", help="a wheel or folder of DisVoice, if a run began with that"
    )
    add_machine_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the commands, and run none")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand. What an interrupted one has done is not done again."""
    source = find_model(options.model)
    lineage = model_lineage(source.config)
    if not lineage or "settings" not in source.config.origin:
        raise ArgumentError(f"{source.path}: its model.json tells of no training")
    earlier = options.runs or options.out.with_name(f"{options.out.name}.runs")
    steps = replay(lineage, options.out, earlier, _given(options), options.disvoice)
    for step in steps:
        if not options.dry_run and (step.out / CONFIG_FILE).is_file():
            tell(f"{step.out} is there already")
            continue
        words = _resuming(step)
        command = shlex.join(["edgevoice-export", *words])
        if options.dry_run:
            show(command)
            continue
        tell(f"runs {command}")
        if code := main(words):
            tell("the same retrain goes on from there")
            return code
    return 0


def _given(options: argparse.Namespace) -> list[str]:
    """The options that every training gets as they were given."""
    words = ["--data", str(options.data), "--device", options.device]
    for name in ("table", "cache", "threads"):
        if getattr(options, name) is not None:
            words += [f"--{name}", str(getattr(options, name))]
    return [*words, "--pad"] if options.pad else words


def _resuming(step: Step) -> tuple[str, ...]:
    begun = step.out.with_name(f"{step.out.name}.training") / CHECKPOINT
    return (*step.words, "--resume") if begun.is_file() else step.words
