"""What are the features worth, and how stable are they?

Three questions on speechocean762, asked of every feature set in one run: who is speaking, told by linear probes from the
static vector; how far does the vector move when the sound changes but the speech does not; and how much of the spectrogram
do the codes keep on speakers that no code was fitted on. Run from the root of the repository:

    python -m benchmarks.feature_quality --data FOLDER --unheard FOLDER [--models NAME_OR_PATH ...] [--disvoice WHEEL]

JSON, figures and a page go to `benchmarks/results`; vectors are kept, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from benchmarks.feature_quality.experiment import run
from benchmarks.feature_quality.report import NAME, write
from benchmarks.sources import TABLE, published_folders
from edgevoice.modelfolder import find_model

ROOT = Path(__file__).parents[2]
SHIPPED = ("cae-256", "cae-64", "light-256", "light-64", "rae-256", "rae-64", "lamprou-64")


def main() -> None:
    """Run or resume the benchmark; then write JSON, figures and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder to fit on, with utterances.csv: file, speaker, gender, age")
    add("--unheard", type=Path, required=True, help="such a folder to measure on, of speakers that no model heard")
    add("--models", nargs="+", default=SHIPPED, metavar="MODEL", help="by name or path; the first is what is judged")
    add("--disvoice", type=Path, help="DisVoice's wheel or folder: its published networks are compared too")
    add("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results")
    add("--work", type=Path, default=ROOT / "build" / NAME, help="folder of what was computed, which a run goes on from")
    options = parser.parse_args()
    for folder in (options.data, options.unheard):
        if not (folder / TABLE).is_file():
            parser.error(f"{folder}: has no {TABLE} with the columns file, speaker, gender and age")
    models = [find_model(name) for name in options.models]
    if options.disvoice:
        models += published_folders(options.disvoice, options.work / "disvoice")
    found = run(
        options.data, options.unheard, models, options.work, lambda items, name: tqdm(items, desc=name, disable=None)
    )
    print(write(found, options.out))


if __name__ == "__main__":
    main()
