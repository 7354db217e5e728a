"""When do I know? From the moment when somebody else begins to speak to the first decision that says so.

    python -m benchmarks.onset LABELS.csv --label who --group speaker [--json OUT] [--plot PNG]

Heads for 0.5, 1 and 2 s are fitted on half of the groups. Recordings of the other half are played in pairs, one of each of
two labels, without a pause: the second begins at a random place between two steps of the level. Time is that of the
samples, so the machine's load does not matter; the median time of a `push` with a frame and its decision is added.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import edgevoice

HOPS = (0.25, 0.1, 0.05)
SECONDS = (0.5, 1.0, 2.0)
BEFORE, AFTER = 3.0, 4.0
"""Seconds of the first and of the second recording; shorter ones repeat. What is not known by then has 99 s in the JSON."""


def play(extractor: edgevoice.Extractor, heads: list[edgevoice.Head], hop: float, pair: Any, label: str) -> list[Any]:
    """The delay of each head, infinite where it does not say so in time; and what a push with a frame takes, in seconds.

    It is None for a head that already said so before: an error that tells nothing of time.
    """
    rate, onset = extractor.config.audio.rate, len(pair[0]) / extractor.config.audio.rate
    stream, judges = extractor.stream(hop=hop), [head.judge(extractor, hop=hop) for head in heads]
    delays: list[float | None] = [np.inf] * len(heads)
    took = []
    samples = np.concatenate(pair)
    for first in range(0, len(samples), rate // 20):
        began = time.perf_counter()
        for frame in stream.push(samples[first : first + rate // 20]):
            for k, judge in enumerate(judges):
                decision = judge.push(frame)
                if frame.end <= onset:
                    delays[k] = None if decision and decision.label == label else np.inf
                elif decision and decision.label == label and delays[k] == np.inf:
                    delays[k] = frame.end - onset
            took.append(time.perf_counter() - began)
    return [delays, float(np.median(took))]


def measure(rows: list[dict[str, str]], root: Path, label: str, group: str, model: str, pairs: int) -> list[dict[str, Any]]:
    """The delays of a model, one entry for each hop and length of a decision."""
    import pandas as pd

    rng, extractor = np.random.default_rng(0), edgevoice.load(model)
    groups = sorted({row[group] for row in rows})
    fitted = set(rng.permutation(groups)[: len(groups) // 2])
    table = pd.DataFrame([row for row in rows if row[group] in fitted])
    labels = sorted(set(table[label]))[:2]
    heard = {name: [row["file"] for row in rows if row[label] == name and row[group] not in fitted] for name in labels}
    rate = extractor.config.audio.rate

    def part(name: str, seconds: float) -> NDArray[np.float32]:
        samples, own = soundfile.read(root / rng.choice(heard[name]), dtype="float32")
        return np.resize(soxr.resample(samples, own, rate), round(seconds * rate))

    found = []
    for hop in HOPS:
        heads = [
            edgevoice.fit(table, label=label, group=group, root=root, model=extractor, hop=hop, seconds=length)
            for length in SECONDS
        ]
        results = []
        for k in range(pairs):
            names = labels[:: 1 - 2 * (k % 2)]
            results.append(
                play(extractor, heads, hop, (part(names[0], BEFORE + rng.uniform(0, 0.25)), part(names[1], AFTER)), names[1])
            )
        compute = float(np.median([took for _, took in results]))
        for j, length in enumerate(SECONDS):
            known = [min(99.0, round(delays[j] + compute, 4)) for delays, _ in results if delays[j] is not None]
            found.append({"model": model, "hop_s": hop, "seconds": length, "compute_s": compute, "delays_s": known})
            print(model, hop, length, len(known), np.quantile(known, [0.5, 0.9]), flush=True)
    return found


def draw(found: list[dict[str, Any]]) -> Any:
    """The share of changes that are known by the time since they began: a panel for each model."""
    from edgevoice.plotting.figurefile import new_figure

    models = list(dict.fromkeys(one["model"] for one in found))
    figure = new_figure(5.5 * len(models), 4.2)
    panels = np.atleast_1d(figure.subplots(1, len(models), sharey=True))
    for one in found:
        panel, delays = panels[models.index(one["model"])], np.array(one["delays_s"], float)
        times = np.sort(delays[delays < AFTER])
        look = {"color": f"C{SECONDS.index(one['seconds'])}", "linestyle": ("-", "--", ":")[HOPS.index(one["hop_s"])]}
        text = f"{one['seconds']:g} s, a frame every {1000 * one['hop_s']:g} ms"
        panel.step([0, *times, AFTER], [0, *np.arange(1, len(times) + 1) / len(delays), len(times) / len(delays)],
                   where="post", label=text, **look)  # fmt: skip
    for panel, model in zip(panels, models, strict=True):
        panel.set(title=model, xlabel="seconds since another speaker began", xlim=(0, AFTER), ylim=(0, 1))
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("share of changes that are known")
    panels[-1].legend(title="decisions about", fontsize="small", loc="lower right")
    return figure


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--models", nargs="+", default=["cae-256", "cae-64"])
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()

    with asked.labels.open(newline="") as file:
        rows = list(csv.DictReader(file))
    root = asked.root or asked.labels.parent
    found = []
    for model in asked.models:
        found += measure(rows, root, asked.label, asked.group, model, asked.pairs)
        if asked.json:
            asked.json.write_text(json.dumps({"pairs": asked.pairs, "label": asked.label, "results": found}) + "\n")
        if asked.plot:
            draw(found).savefig(asked.plot, dpi=100)


if __name__ == "__main__":
    main()
