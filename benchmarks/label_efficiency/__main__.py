"""Command line of the experiments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.label_efficiency.classifiers import CLASSIFIERS
from benchmarks.label_efficiency.corpus import write_table
from benchmarks.label_efficiency.experiment import Experiment, Results
from benchmarks.label_efficiency.figures import draw
from benchmarks.label_efficiency.report import write_json, write_page
from benchmarks.label_efficiency.speakers import division, speakers
from benchmarks.label_efficiency.trials import TrialLog, grid, run
from benchmarks.label_efficiency.valence import valence
from benchmarks.label_efficiency.vectors import MODEL_SOURCES, Progress, Source, Table
from edgevoice.errors import ModelNotFoundError

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    options = _parser().parse_args(arguments)
    options.run(options)


def _experiment(options: argparse.Namespace) -> None:
    """Run an experiment, or go on with it; then write JSON, figures and the page."""
    experiment = options.make(options)
    percents, seeds = tuple(range(options.step, 101, options.step)), tuple(range(options.seeds))
    log = TrialLog(options.work / f"{experiment.name}.jsonl", experiment.sets, experiment.standardise)
    names = [features.name for features in experiment.sets]
    trials = grid(names, options.classifiers, experiment.subsets, percents, seeds)
    run(trials, experiment.sets, log, experiment.standardise, lambda left: tqdm(left, unit=" fits", disable=None))

    results = Results(experiment, tuple(options.classifiers), percents, seeds, log)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(results, options.out)
    page = write_page(results, draw(results, options.out), options.out)
    print(page)


def _speakers(options: argparse.Namespace) -> Experiment:
    sources: list[Source] = []
    absent = []
    for asked in options.models:
        model, kind = asked.rsplit(":", 1)
        try:
            sources.append(MODEL_SOURCES[kind](model))
        except ModelNotFoundError:
            absent.append(model)
    for asked in options.tables:
        name, path = asked.split("=", 1)
        sources.append(Table(name, Path(path), options.data))

    def progress(name: str) -> Progress:
        return lambda files: tqdm(files, desc=name, unit=" files", disable=None)

    return speakers(options.data, sources, absent, options.work, progress)


def _unlabelled(options: argparse.Namespace) -> None:
    write_table(division(options.data).unlabelled, options.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_efficiency", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("valence", help="feature matrices of the study: training_*.npz and test_*.npz")
    command.set_defaults(run=_experiment, make=lambda options: valence(options.data))
    _add_experiment_options(command)
    command = commands.add_parser("speakers", help="recordings, with utterances.csv: file, speaker, gender, age")
    command.set_defaults(run=_experiment, make=_speakers)
    command.add_argument(
        "--models",
        nargs="+",
        default=["cae-256:codes", "cae-256:functionals", "cae-64:codes", "lamprou-64:codes"],
        metavar="MODEL:KIND",
        help=f"models, by name or path, and what of them: {' or '.join(MODEL_SOURCES)}",
    )
    command.add_argument(
        "--tables", nargs="+", default=[], metavar="NAME=CSV", help="other features: path of a recording, then its numbers"
    )
    _add_experiment_options(command)
    command = commands.add_parser("unlabelled", help="write the table of the recordings to train an autoencoder on")
    command.set_defaults(run=_unlabelled)
    command.add_argument("--data", type=Path, required=True, help="folder")
    command.add_argument("--out", type=Path, required=True, help="CSV, as edgevoice-export train --table takes it")
    return parser


def _add_experiment_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, required=True, help="folder")
    command.add_argument("--classifiers", nargs="+", choices=CLASSIFIERS, default=list(CLASSIFIERS), metavar="NAME")
    command.add_argument("--step", type=int, default=2, help="percent from one share of the labels to the next (2)")
    command.add_argument("--seeds", type=int, default=5, help="repetitions (5)")
    command.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results")
    command.add_argument(
        "--work",
        type=Path,
        default=ROOT / "build" / "label_efficiency",
        help="folder of the fits made so far, which a run goes on from",
    )


if __name__ == "__main__":
    main()
