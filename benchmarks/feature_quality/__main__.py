"""What are the features worth, and how stable are they?

Three questions on speechocean762, asked of every feature set in one run: who is speaking, told by linear probes from the
static vector; how far does the vector move when the sound changes but the speech does not; and how much of the spectrogram
do the codes keep on speakers that no code was fitted on. Run from the root of the repository:

    python -m benchmarks.feature_quality --data FOLDER [--models NAME_OR_PATH ...] [--disvoice WHEEL]

JSON, figures and a page go to `benchmarks/results`; what was computed is kept, and a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.feature_quality.experiment import Settings, run
from benchmarks.feature_quality.figures import draw
from benchmarks.feature_quality.report import write_json, write_page
from benchmarks.sources.models import published_folders
from benchmarks.sources.recordings import TABLE
from edgevoice.modelfolder import find_model

ROOT = Path(__file__).parents[2]
NAME = "feature_quality"

SHIPPED = ("cae-256", "cae-64", "light-256", "light-64", "rae-256", "rae-64", "lamprou-64")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run or resume the benchmark; then write JSON, figures and the page."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for folder in (options.data, options.unheard):
        if not (folder / TABLE).is_file():
            parser.error(f"{folder}: has no {TABLE} with the columns file, speaker, gender and age")
    models = [find_model(name) for name in options.models]
    if options.disvoice:
        models += published_folders(options.disvoice, options.work / "disvoice")

    settings = Settings(options.recordings, tuple(sorted(options.linear)), options.linear_windows)
    results = run(options.data, options.unheard, models, settings, options.work, _bar)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(results, options.out / f"{NAME}.json")
    page = options.out / f"{NAME}.md"
    write_page(results, draw(results, options.out, NAME), page)
    print(page)


def _bar(items: Sequence[Any], name: str) -> Iterable[Any]:
    return tqdm(items, desc=name, disable=None)


def _parser() -> argparse.ArgumentParser:
    usual = Settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feature_quality", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder to fit on, with utterances.csv: file, speaker, gender, age"
    )
    parser.add_argument(
        "--unheard",
        type=Path,
        required=True,
        help="such a folder to measure on, of speakers that no model was trained on or chosen by",
    )
    parser.add_argument(
        "--models", nargs="+", default=list(SHIPPED), metavar="MODEL", help="by name or path; the first is what is judged"
    )
    parser.add_argument("--disvoice", type=Path, help="DisVoice's wheel or folder: its published networks are compared too")
    parser.add_argument(
        "--recordings",
        type=int,
        default=usual.stability_recordings,
        help=f"how many are degraded, of a speaker each ({usual.stability_recordings})",
    )
    parser.add_argument(
        "--linear", type=int, nargs="+", default=list(usual.linear_units), metavar="UNITS", help="sizes of the linear codes"
    )
    parser.add_argument(
        "--linear-windows",
        type=int,
        default=usual.linear_windows,
        help=f"windows that they are fitted on ({usual.linear_windows})",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / NAME, help="folder of what was computed, which a run goes on from"
    )
    return parser


if __name__ == "__main__":
    main()
