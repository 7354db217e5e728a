"""Whether a head keeps its word: fitted on half of the speakers, is what it says found on the other half?

    python -m benchmarks.heads LABELS.csv --group speaker --label gender [--numeric] [--times 100] [--json OUT]

Speakers are halved at random. `edgevoice fit` does its work on one half, with all that it chooses; the head is then judged
on the other one, and its interval contains what is found there, or not. With `--shuffle`, labels are dealt anew to speakers.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import edgevoice
from edgevoice.heads.judging import folds_of, hold_out, learn, score, standardise, sums_of
from edgevoice.heads.pieces import Labelled, Pieces, cut_pieces, read_labels
from edgevoice.recipe import Reading


def trial(labelled: Labelled, pieces: Pieces, seed: int, shuffle: bool = False) -> dict[str, Any]:
    """One halving: what is said, and what is found."""
    rng = np.random.default_rng(seed)
    if shuffle:
        labelled = _shuffled(labelled, rng)
    speakers = sorted(set(labelled.groups))
    first = set(rng.permutation(speakers)[: len(speakers) // 2])
    mine = np.array([labelled.groups[row] in first for row in pieces.rows])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", edgevoice.EdgeVoiceWarning)
        task, other = (labelled.task(pieces.rows[chosen]) for chosen in (mine, ~mine))
    found = hold_out(pieces.values[mine], task, folds_of(task))
    values, rest = pieces.values[mine], pieces.values[~mine]
    centre, scale = standardise(values)
    weights, bias = learn(values, task, found.penalty)
    sums = sums_of(other, (rest - centre) / scale @ weights + bias).sum(axis=0)
    return {"said": score(task, found.said, found.guess), "found": other.statistics(sums)}


def _shuffled(labelled: Labelled, rng: np.random.Generator) -> Labelled:
    """Labels dealt anew to speakers."""
    own = dict(zip(labelled.groups, labelled.targets, strict=True))
    dealt = dict(zip(own, rng.permutation(list(own.values())).tolist(), strict=True))
    return labelled._replace(targets=tuple(dealt[group] for group in labelled.groups))


def summary(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """How often each interval contains what is found, and means."""
    result: dict[str, Any] = {"times": len(trials), "better": sum(one["said"]["better"] for one in trials)}
    for key, interval in (("value", "interval"), ("f1", "f1_interval"), ("accuracy", "accuracy_interval")):
        if key in trials[0]["found"]:
            low, high = np.array([one["said"][interval] for one in trials]).T
            found, said = (np.array([one[who][key] for one in trials]) for who in ("found", "said"))
            result[key] = {
                "contained": int(((low <= found) & (found <= high)).sum()),
                "said": round(float(said.mean()), 4),
                "found": round(float(found.mean()), 4),
                "width": round(float((high - low).mean()), 4),
            }
    return result


def prepare(path: Path, label: str, group: str, numeric: bool, model: str, features: Path | None) -> tuple[Labelled, Pieces]:
    """The labels, and the pieces of 2 s of all recordings."""
    labelled = read_labels(path, None, label, group, numeric)
    return labelled, cut_pieces(labelled, edgevoice.load(model), Reading(), 2.0, features)


def main() -> None:
    """Run it, and print or store the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--numeric", action="store_true")
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--model", default="cae-256")
    parser.add_argument("--features", type=Path)
    parser.add_argument("--json", type=Path, help="add the summary to this file")
    options = parser.parse_args()
    labelled, pieces = prepare(
        options.labels, options.label, options.group, options.numeric, options.model, options.features
    )
    trials = [trial(labelled, pieces, seed, options.shuffle) for seed in range(options.times)]
    result = {"label": options.label, "shuffled": options.shuffle, "model": options.model, **summary(trials)}
    print(json.dumps(result, indent=1))
    if options.json:
        kept = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() else []
        options.json.write_text(json.dumps([*kept, result], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
