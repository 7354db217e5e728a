"""How many labels do learned features need?

Few recordings have labels, many have none. The many train an autoencoder; of the few, growing shares are given to
classifiers, on the autoencoder's features and on hand-made ones. Run from the root of the repository:

    python -m benchmarks.label_efficiency speakers --data FOLDER --unheard FOLDER

The experiment is that of V. Lamprou, "Feature Extraction with Convolutional Autoencoders" (2023), on other
recordings.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.label_efficiency.report import NAME, write
from benchmarks.label_efficiency.speakers import division, method, speakers, write_table
from benchmarks.label_efficiency.trials import CLASSIFIERS, TrialLog, Trials
from benchmarks.sources.handmade import OpenSmile
from benchmarks.sources.linearcode import LinearCode, MeanLinearCode, Spectrograms
from benchmarks.sources.models import MODEL_SOURCES
from benchmarks.sources.vectors import Progress, Source
from edgevoice.modelfolder import find_model

ROOT = Path(__file__).parents[2]
_LINEAR_WINDOWS = 8000
"""Largest number of windows to which the linear code is fitted."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    options = _parser().parse_args(arguments)
    options.run(options)


def _speakers(options: argparse.Namespace) -> None:
    """Run or resume the experiment; then write JSON, figures and the page."""
    asked = (name.rsplit(":", 1) for name in options.models)
    sources: list[Source] = [MODEL_SOURCES[kind](model) for model, kind in asked]
    if options.linear:
        sources.append(_linear(options))
    sources += [OpenSmile(name) for name in options.opensmile]

    def progress(name: str) -> Progress:
        return lambda files: tqdm(files, desc=name, unit=" files", disable=None)

    sets = speakers(options.data, options.unheard, sources, options.work, progress)
    percents, seeds = tuple(range(options.step, 101, options.step)), tuple(range(options.seeds))
    trials = Trials(sets, tuple(options.classifiers), percents, seeds, TrialLog(options.work / f"{NAME}.jsonl", sets))
    trials.run(lambda left: tqdm(left, unit=" fits", disable=None))
    print(write(trials, method(options.data, options.unheard, sources), options.out))


def _linear(options: argparse.Namespace) -> MeanLinearCode:
    """The linear code of the unlabelled recordings, as the first model sees them."""
    config = find_model(options.models[0].rsplit(":", 1)[0]).config
    kept = options.work / f"linear-{options.linear}.npz"
    if not kept.is_file():
        paths = [options.data / recording.file for recording in division(options.data).unlabelled]
        windows = Spectrograms(config).sampled(tqdm(paths, desc="linear code", unit=" files", disable=None), _LINEAR_WINDOWS)
        options.work.mkdir(parents=True, exist_ok=True)
        LinearCode.fit(windows, options.linear).save(kept)
    return MeanLinearCode(LinearCode.load(kept), config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_efficiency", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("speakers", help="recordings, with utterances.csv: file, speaker, gender, age")
    command.set_defaults(run=_speakers)
    add = command.add_argument
    add(
        "--models",
        nargs="+",
        default=["cae-256:codes", "cae-256:functionals", "cae-64:codes", "lamprou-64:codes"],
        metavar="MODEL:KIND",
        help=f"models, by name or path, and what of them: {' or '.join(MODEL_SOURCES)}",
    )
    add("--data", type=Path, required=True, help="folder")
    add("--unheard", type=Path, required=True, help="such a folder to test on, of speakers that no network heard")
    add("--opensmile", nargs="*", default=[], metavar="SET", help="openSMILE's sets: eGeMAPSv02, ComParE_2016")
    add("--linear", type=int, metavar="UNITS", help="a linear code of so many numbers")
    add("--classifiers", nargs="+", choices=CLASSIFIERS, default=list(CLASSIFIERS), metavar="NAME")
    add("--step", type=int, default=2, help="percent from one share of the labels to the next (2)")
    add("--seeds", type=int, default=5, help="repetitions (5)")
    add("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results")
    work = ROOT / "build" / "label_efficiency"
    add("--work", type=Path, default=work, help="folder of the fits made so far, which a run goes on from")
    command = commands.add_parser("unlabelled", help="write the table of the recordings to train an autoencoder on")
    command.set_defaults(run=lambda options: write_table(division(options.data).unlabelled, options.out))
    command.add_argument("--data", type=Path, required=True, help="folder")
    command.add_argument("--out", type=Path, required=True, help="CSV, as edgevoice-export train --table takes it")
    return parser


if __name__ == "__main__":
    main()
