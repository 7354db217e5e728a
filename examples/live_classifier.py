"""Child or adult? A classifier that learns from recordings, and then listens.

    pip install 'edgevoice[cpu,mic,sklearn]'
    python live_classifier.py utterances.csv [--test other.csv] [--listen-to speech.wav]

A CSV has the columns file (relative to it), speaker and age; who is below 16 is a child. The classifier is a logistic
regression on the static features of each recording. It is tested on speakers that it did not learn from: those of
`--test`, else a fifth of all. Then it listens to the microphone (or to a file), and judges the last four seconds.
"""

from __future__ import annotations

import argparse
import csv
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import edgevoice

CHILD = 16  # years, below which
RECENT = 15  # frames: four seconds


def read(path: Path, extractor: edgevoice.Extractor) -> tuple[NDArray[np.float32], NDArray[np.bool_], list[str]]:
    """Static features (recordings, numbers), whether each is a child's, and its speaker."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    features = np.stack([extractor.extract(path.parent / row["file"], pad=True).functionals() for row in rows])
    return features, np.array([float(row["age"]) < CHILD for row in rows]), [row["speaker"] for row in rows]


def learn(path: Path, test: Path | None, extractor: edgevoice.Extractor) -> Pipeline:
    """A classifier that has learnt from all recordings of a table; prints how good one is that has not seen some."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000))
    features, children, speakers = read(path, extractor)
    if test is None:
        chosen, kept = next(GroupShuffleSplit(1, test_size=0.2, random_state=0).split(features, children, speakers))
        tested = features[kept], children[kept], [speakers[k] for k in kept]
    else:
        chosen, tested = np.arange(len(features)), read(test, extractor)
    classifier.fit(features[chosen], children[chosen])
    score = balanced_accuracy_score(tested[1], classifier.predict(tested[0]))
    print(f"{score:.3f} of child and adult recognised (mean of the two), {len(set(tested[2]))} speakers not learnt from")
    return classifier.fit(features, children)


def listen(frames: Iterable[edgevoice.Frame], classifier: Pipeline) -> None:
    """Print a judgement for each frame, of the frames that heard something."""
    recent: deque[Any] = deque(maxlen=RECENT)
    for frame in frames:
        if not frame.silent:
            recent.append(frame.values)
        if len(recent) == RECENT:
            child = classifier.predict_proba(edgevoice.functionals(np.stack(recent))[None])[0, 1]
            print(f"{frame.end:.2f} s  {'child' if child > 0.5 else 'adult'} ({max(child, 1 - child):.2f})", flush=True)


def main() -> None:
    """Learn, then listen until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="CSV of recordings to learn from")
    parser.add_argument("--test", type=Path, help="CSV of recordings to test on, of other speakers")
    parser.add_argument("--listen-to", type=Path, help="a recording instead of the microphone")
    options = parser.parse_args()
    extractor = edgevoice.load("cae-256")
    classifier = learn(options.table, options.test, extractor)
    if options.listen_to:
        listen(extractor.extract(options.listen_to), classifier)
        return
    with edgevoice.Microphone(extractor) as microphone:
        try:
            listen(microphone, classifier)
        except KeyboardInterrupt:
            print(microphone.summary())


if __name__ == "__main__":
    main()
