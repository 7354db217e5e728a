"""Suit a model to recordings of your own.

    python adapt_a_model.py RECORDINGS NEW_MODEL

RECORDINGS has a folder for each speaker, six or more of them. Needs the extras cpu and export. Half an hour on two
cores; `--epochs 1 --epoch-windows 320 --rate 1e-5` tries it in a minute. The last line says whether it was worth it, by
the errors of both models on a third of the speakers, on whom the new one was neither trained nor chosen.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import edgevoice
from edgevoice_export.publish.measures import measure_drift


def main() -> int:
    """Train from the weights of a model on, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("new_model", type=Path)
    parser.add_argument("--model", default="cae-256", help="the one to begin with (default: %(default)s)")
    parser.add_argument("--held-out", type=int, metavar="N", help="speakers for the comparison (default: a third)")
    parser.add_argument("--rate", default="5e-5", help="small, so that the model is not spoilt (default: %(default)s)")
    options, more = parser.parse_known_args()

    speakers = sorted(path for path in options.recordings.iterdir() if path.is_dir())
    count = options.held_out or max(1, len(speakers) // 3)
    held_out, used = speakers[:count], speakers[count:]
    listed = options.new_model.with_name(f"{options.new_model.name}.csv")
    files = [path for speaker in used for path in sorted(speaker.iterdir())]
    rows = [f"{path.relative_to(options.recordings).as_posix()},{path.parent.name}" for path in files]
    listed.write_text("\n".join(["file,speaker", *rows, ""]), encoding="utf-8")

    train = [sys.executable, "-m", "edgevoice_export.cli", "train", "--init", options.model, "--rate", options.rate]
    train += ["--fixed-norms", "1", "--data", str(options.recordings), "--table", str(listed)]
    train += ["--out", str(options.new_model), *more]
    if code := subprocess.run(train, check=False).returncode:
        return code

    files = [path for speaker in held_out for path in sorted(speaker.iterdir())]
    found = measure_drift(edgevoice.load(options.model), edgevoice.load(options.new_model), files)
    print(
        f"features of the two differ, train classifiers on those of the model that they will be used with:\n{found.table()}"
    )
    print(f"{options.new_model} against {options.model}, on speakers held out: {found.verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
