"""Suit a model to recordings of your own.

    python adapt_a_model.py RECORDINGS NEW_MODEL

RECORDINGS has a folder for each speaker, five or more of them. Needs `pip install 'edgevoice[cpu,export]'`. Half an
hour on two cores; `--epochs 1 --epoch-windows 320 --rate 1e-5` tries it in a minute. The last lines say whether it was
worth it: the error of both models on the same speakers, whom the new one was not trained on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

import edgevoice


def main() -> int:
    """Train from the weights of a model on, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("new_model", type=Path)
    parser.add_argument("--model", default="cae-256", help="the one to begin with (default: %(default)s)")
    parser.add_argument("--held-out", type=int, default=1, metavar="N", help="speakers for the comparison (default: 1)")
    parser.add_argument("--rate", default="5e-5", help="small, so that the model is not spoilt (default: %(default)s)")
    options, more = parser.parse_known_args()

    speakers = sorted(path for path in options.recordings.iterdir() if path.is_dir())
    held_out, used = speakers[: options.held_out], speakers[options.held_out :]
    listed = options.new_model.with_name(f"{options.new_model.name}.csv")
    files = [path for speaker in used for path in sorted(speaker.iterdir())]
    rows = [f"{path.relative_to(options.recordings).as_posix()},{path.parent.name}" for path in files]
    listed.write_text("\n".join(["file,speaker", *rows, ""]), encoding="utf-8")

    train = [sys.executable, "-m", "edgevoice_export.cli", "train", "--init", options.model, "--rate", options.rate]
    train += ["--fixed-norms", "1", "--data", str(options.recordings), "--table", str(listed)]
    train += ["--out", str(options.new_model), *more]
    if code := subprocess.run(train, check=False).returncode:
        return code

    for model in (options.model, options.new_model):
        extractor = edgevoice.load(model, descriptors="error")
        errors = [extractor.extract(path).error for speaker in held_out for path in sorted(speaker.iterdir())]
        print(f"{model}: mean error {np.concatenate(errors).mean():.2e} on {len(held_out)} speakers held out")
    print("features of the two are not the same: train classifiers on those of the model that they will be used with")
    return 0


if __name__ == "__main__":
    sys.exit(main())
