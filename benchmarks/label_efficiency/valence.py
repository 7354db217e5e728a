"""Features of MSP-Podcast recordings in three classes of valence, as V. Lamprou's study published them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.label_efficiency.experiment import Experiment, Results, View
from benchmarks.label_efficiency.featuresets import read_feature_set
from benchmarks.label_efficiency.scores import spans

HAND_MADE, LEARNED = "hand-made (pyAudioAnalysis)", "autoencoder (the study's codes)"
FOREST = "random forest"
RANDOM = View("random subsets", "random", "weighted F1")
FIRST = View("first of each class", "first", "weighted F1")
SWAPPED = View("first of each class, F1's arguments swapped", "first", "swapped F1")

_METHOD = """\
- {recordings} recordings to train with, {pieces} pieces of 30 000 samples; {test_recordings} to test on,
  {test_pieces} pieces; no speaker in both.
- Hand-made: {hand_made} numbers per recording, scored by recording. Autoencoder: {learned} numbers a piece, scored by
  piece. So the two are scored on different items, as in the study.
- Classifiers have scikit-learn's defaults and features are not scaled, as in the study.
- Random subsets: of each class, recordings at random, others for each seed. First of each class: the first in stored
  order, as in the study; a smaller share lies within a larger one."""


def valence(folder: Path) -> Experiment:
    """The study's feature matrices: `training_hlf.npz`, `test_hlf.npz` (hand-made), `training_cf.npz`, `test_cf.npz`."""
    hand_made, learned = read_feature_set(folder, "hlf", HAND_MADE), read_feature_set(folder, "cf", LEARNED)
    return Experiment(
        name="label_efficiency_valence",
        title="Valence on MSP-Podcast, the study's own features",
        sets=(hand_made, learned),
        views=(RANDOM, FIRST, SWAPPED),
        standardise=False,
        method=_METHOD.format(
            recordings=len(hand_made.training),
            pieces=len(learned.training),
            test_recordings=len(hand_made.test),
            test_pieces=len(learned.test),
            hand_made=hand_made.test.features.shape[1],
            learned=learned.test.features.shape[1],
        ),
        conclude=_conclude,
    )


def _conclude(results: Results) -> str:
    if FOREST not in results.classifiers:
        return "The study's claim is about random forests, which this run leaves out."
    step = results.percents[0]
    pairs = {view: tuple(results.curves(view, FOREST).values()) for view in (RANDOM, FIRST, SWAPPED)}
    ahead = {view: learned.ahead(hand_made) for view, (hand_made, learned) in pairs.items()}
    last = {view: f"last ahead at {shares[-1]} %" if shares else "never ahead" for view, shares in ahead.items()}
    where = {view: spans(shares, step) for view, shares in ahead.items()}
    mean = {view: [f"{curve.mean.mean():.3f}" for curve in pair] for view, pair in pairs.items()}
    single = sorted(
        max(learned.of(k).ahead(hand_made.of(k)), default=0)
        for hand_made, learned in [pairs[SWAPPED]]
        for k in results.seeds
    )
    _, low, high = results.chance(RANDOM, results.experiment.sets[0])
    best = {kind: max(curve.mean.max() for curve in results.curves(RANDOM, kind).values()) for kind in results.classifiers}
    top = max(best, key=lambda kind: best[kind])
    right, swapped, where_paid = _most_paid(results)
    return f"""\
**The study says** that with random forests the autoencoder's features are ahead of the hand-made ones up to 56 % of
the training data. Three curves from the same features, each the mean of {len(results.seeds)} seeds:

1. First recordings of each class, F1 called with its arguments swapped: {last[SWAPPED]} (ahead at {where[SWAPPED]};
   single seeds last at {single[0]} to {single[-1]} %). This is the study's figure.
2. The same subsets, F1 in the right order: {last[FIRST]} (ahead at {where[FIRST]}).
3. Random subsets, F1 in the right order: ahead at {where[RANDOM]}; over all shares {mean[RANDOM][1]} on average, the
   hand-made features {mean[RANDOM][0]}.

**What the claim rests on** is the order of the files. Each subset is the first files of a class, sorted by name: few
podcasts and speakers, and always the same ones, for the seeds change the forest alone. With as many recordings chosen
at random, no advantage is left. The swapped arguments do not make the claim, they move its end: F1 is then weighted
by how often a class was predicted, which lifts the hand-made features ({mean[FIRST][0]} to {mean[SWAPPED][0]} on
average) more than the autoencoder's ({mean[FIRST][1]} to {mean[SWAPPED][1]}). Wrong it is all the same: whoever
answers with few classes is paid for it, up to {swapped:.3f} for what deserves {right:.3f} ({where_paid}).

**With random subsets hardly anything is above chance**, which is {low:.3f} to {high:.3f}: the highest mean of any
classifier, feature set and share is {best[top]:.3f} ({top}). Only the first files of each class score clearly above
it, and they lose it as more labels come. Neither feature set tells the valence of unknown speakers from so few
labels, and a difference between two such curves is evidence for neither."""


def _most_paid(results: Results) -> tuple[float, float, str]:
    """Right score, swapped score, and of what, where they are furthest apart."""
    found = []
    for kind in results.classifiers:
        right, swapped = results.curves(FIRST, kind), results.curves(SWAPPED, kind)
        for name, curve in right.items():
            pairs = zip(results.percents, curve.mean.tolist(), swapped[name].mean.tolist(), strict=True)
            found += [(a, b, f"{kind}, {name}, at {percent} %") for percent, a, b in pairs]
    return max(found, key=lambda row: row[1] - row[0])
