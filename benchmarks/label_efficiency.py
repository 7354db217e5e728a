"""How many labels do learned features need?

Few recordings have labels, many have none. The many train an autoencoder; of the few, growing shares are given to
classifiers, on the autoencoder's features and on hand-made ones. Run from the root of the repository:

    python -m benchmarks.label_efficiency --data FOLDER --unheard FOLDER

The experiment is that of V. Lamprou, "Feature Extraction with Convolutional Autoencoders" (2023), on other recordings.
Vectors and curves are kept, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import matplotlib as mpl
import numpy as np
import sklearn
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from tqdm import tqdm

from benchmarks.linearcode import LinearCode, MeanLinearCode, Spectrograms
from benchmarks.measuring import RESULTS, ROOT
from benchmarks.sources import (
    ADULT,
    CLASSES,
    Functionals,
    HandMade,
    MeanCode,
    OpenSmile,
    Recording,
    Source,
    Vector,
    read_recordings,
    vectors_by_folder,
)
from edgevoice.modelfolder import find_model
from edgevoice_export.data.corpus import split_speakers
from edgevoice_export.publish.markdown import table

NAME = "label_efficiency_speakers"
TITLE = "Child, man or woman, from few labels"
GOAL = 30  # percent of the labels up to which the learned features are to be ahead
TEST_SPEAKERS, LABELLED_SPEAKERS = 40, 25
MODELS = ("cae-256:codes", "cae-256:functionals", "cae-64:codes", "light-256:codes", "light-64:codes", "lamprou-64:codes")
KINDS: dict[str, Callable[[str], Source]] = {"codes": MeanCode, "functionals": Functionals}
_VIEW = "speakers that no network heard"
_METRIC = "weighted F1"
_LINEAR_WINDOWS = 8000
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito's: safe for all eyes
_LINES = ("-", "--", ":")  # the same colour comes again with another line
_SHOWN = (2, 4, 10, 20, 30, 50, 100)  # percents in the page's table; all are in the JSON

_METHOD = """\
- Recordings in three classes: child (below {adult} years), man, woman. Parts share no speaker: {parts}. The test
  recordings are a folder of their own: nothing was trained on them or chosen by them.
- A share of the labelled recordings is drawn at random from each class, another for each seed; a smaller share lies
  within a larger one.
- Every recording is one item, whatever its length: those shorter than a model's window are filled up with zeros.
- Hand-made: pyAudioAnalysis's 136 mid-term features (1 s, of 50 ms), averaged over the recording, at the recording's
  own rate; openSMILE's functionals of eGeMAPSv02 (88) and ComParE_2016 (6373). Functionals of a model: mean, standard
  deviation, skewness and kurtosis of each descriptor. Codes: the bottleneck, averaged over the windows. PCA: principal
  components of the spectrograms of the unlabelled recordings, used as a code.
- Classifiers have scikit-learn's defaults. They see each feature with mean 0 and variance 1 over the labelled
  recordings, which the hand-made ones need most: unscaled, they are of very different sizes.
- What the autoencoders were trained on, without labels, is in their cards. They have heard most of the labelled speakers,
  though not what class they are of, and none of the test speakers.
- {sizes}; {seeds} seeds. Bands are 95 % confidence intervals of the mean over the seeds (Student's t): they tell how
  much the choice of recordings and the classifier's own chance matter, not how much other test recordings would.
  Where neither is random, a band has no width.
- {versions}."""

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
Scores = Mapping[str, Mapping[str, Floats]]
"""By classifier, then by feature set: (seeds, percents)."""

CLASSIFIERS: dict[str, Callable[[int, int], Any]] = {
    # (recordings to train with, seed) -> classifier
    "random forest": lambda _, seed: RandomForestClassifier(random_state=seed),
    "SVM": lambda _, seed: SVC(random_state=seed),
    "kNN": lambda count, _: KNeighborsClassifier(n_neighbors=min(5, count)),  # 5 is the default
    "decision tree": lambda _, seed: DecisionTreeClassifier(random_state=seed),
    "AdaBoost": lambda _, seed: AdaBoostClassifier(random_state=seed),
}


class FeatureSet(NamedTuple):
    """Recordings as vectors (recordings, dimensions) and their labels (recordings,): to train with, and to test on."""

    features: Vector
    labels: Labels
    asked: Vector
    truth: Labels


def divide(recordings: Sequence[Recording], first: Sequence[str]) -> dict[str, list[Recording]]:
    """The labelled, test and unlabelled parts: by speakers, at random, with equal proportions of each class.

    Speakers of `first` are in the test part before any other is. That part is not used where there is a folder of speakers
    that no network heard; it is kept apart still, for lamprou-64 was trained on the unlabelled part that remains.
    """
    labels = {recording.speaker: recording.label for recording in recordings}
    random = np.random.default_rng(0)
    parts: dict[str, str] = {}
    for label in range(len(CLASSES)):
        speakers = [speaker for speaker in sorted(labels) if labels[speaker] == label]
        wanted = [speaker for speaker in speakers if speaker in first]
        rest = [speaker for speaker in random.permutation(speakers).tolist() if speaker not in first]
        tested, labelled = (round(count * len(speakers) / len(labels)) for count in (TEST_SPEAKERS, LABELLED_SPEAKERS))
        for place, speaker in enumerate(wanted + rest):
            parts[speaker] = "test" if place < tested else "labelled" if place < tested + labelled else "unlabelled"
    return {
        part: [recording for recording in recordings if parts[recording.speaker] == part]
        for part in ("labelled", "test", "unlabelled")
    }


def random_of_class(labels: Labels, percent: int, seed: int) -> NDArray[np.int64]:
    """Sorted indices of a share of each class, at least one. For one seed, a larger share contains the smaller ones."""
    random = np.random.default_rng(seed)
    classes = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return np.sort(np.concatenate([members[: max(1, len(members) * percent // 100)] for members in classes]))


def scores_of(kind: str, given: FeatureSet, percents: Sequence[int], seeds: int) -> Floats:
    """Scores of a classifier that is given growing shares of the labels: (seeds, percents)."""
    found = np.empty((seeds, len(percents)))
    for seed, column in np.ndindex(found.shape):
        chosen = random_of_class(given.labels, percents[column], seed)
        estimator = make_pipeline(StandardScaler(), CLASSIFIERS[kind](len(chosen), seed))
        estimator.fit(given.features[chosen], given.labels[chosen])
        found[seed, column] = f1_score(given.truth, estimator.predict(given.asked), average="weighted")
    return found


def chance(truth: Labels) -> tuple[float, float, float]:
    """Score of guessing every class as often: mean, and the 2.5th and 97.5th of 100 over 1000 test runs."""
    random, classes = np.random.default_rng(0), np.unique(truth)
    scores = [f1_score(truth, random.choice(classes, len(truth)), average="weighted") for _ in range(1000)]
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(np.mean(scores)), float(low), float(high)


def band_of(scores: Floats) -> Floats:
    """Half the width of the 95 % confidence interval of the mean, Student's t over the seeds: (percents,)."""
    seeds = len(scores)
    if seeds == 1:
        return np.zeros(scores.shape[1])
    return np.asarray(stats.t.ppf(0.975, seeds - 1) * scores.std(axis=0, ddof=1) / np.sqrt(seeds))


def spans(percents: Sequence[int], chosen: Sequence[bool]) -> str:
    """The chosen percents as text, with neighbours as ranges: `10-30, 34 %`."""
    runs = [
        [percent for percent, _ in run]
        for on, run in itertools.groupby(zip(percents, chosen, strict=True), lambda one: one[1])
        if on
    ]
    words = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    return f"{', '.join(words)} %" if words else "nowhere"


def write(scores: Scores, percents: Sequence[int], truth: Labels, method: str, folder: Path) -> Path:
    """Write JSON, figures and the page; return its path. The first feature set is what the others are compared with."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = len(next(iter(next(iter(scores.values())).values())))
    versions = {"Python": platform.python_version(), "scikit-learn": sklearn.__version__, "NumPy": np.__version__}
    rounded = {kind: {name: np.round(rows, 4).tolist() for name, rows in by.items()} for kind, by in scores.items()}
    guess = chance(truth)
    view = {"name": _VIEW, "metric": _METRIC, "test_items": len(truth), "chance": np.round(guess, 4).tolist()}
    content = {"experiment": TITLE, "versions": versions, "percents": percents, "seeds": seeds, **view, "scores": rounded}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[\d.,\s-]+\]", lambda numbers: re.sub(r"\s+", " ", numbers[0]), text)  # a list is a line
    (folder / f"{NAME}.json").write_text(text + "\n", encoding="utf-8")

    chosen = {name: _best(scores, name, percents) for name in next(iter(scores.values()))}
    curves = {f"{name}: {kind}": scores[kind][name] for name, kind in chosen.items()}
    picture = _draw("best classifier", curves, percents, guess, folder)
    stated = ", ".join(f"{name} {version}" for name, version in versions.items())
    sizes = f"{len(percents)} shares of the labels, {percents[0]} to {percents[-1]} %"
    lines = [f"# {TITLE}", "", *_conclusion(scores, chosen, percents), "", "## Method", ""]
    lines += [method.format(sizes=sizes, seeds=seeds, versions=stated), ""]
    lines += [f"## {_VIEW[0].upper()}{_VIEW[1:]}", "", *_table(scores, percents, guess), "", "## Figures", ""]
    lines += [f"![{picture.stem}]({picture.name})"]
    page = folder / f"{NAME}.md"
    page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return page


def _best(scores: Scores, name: str, percents: Sequence[int]) -> str:
    """The classifier with the highest mean score for a feature set, over the shares up to the goal."""
    shares = np.array(percents) <= max(GOAL, percents[0])
    return max(scores, key=lambda kind: float(scores[kind][name][:, shares].mean()))


def _conclusion(scores: Scores, chosen: Mapping[str, str], percents: Sequence[int]) -> list[str]:
    hand_made = next(iter(chosen))
    goal = max((place for place, percent in enumerate(percents) if percent <= GOAL), default=0)
    means = {name: scores[kind][name].mean(axis=0) for name, kind in chosen.items()}
    # Harder to beat: at each share, whichever classifier is best there for the hand-made features.
    hardest = np.max([by[hand_made].mean(axis=0) for by in scores.values()], axis=0)
    lines = [f"Each feature set with the classifier that is best for it on this test set, up to {GOAL} % of the labels:", ""]
    for name, mean in means.items():
        text = f"- {name}, {chosen[name]}: {mean[goal]:.3f} at {percents[goal]} %, {mean[-1]:.3f} at {percents[-1]} %"
        if name != hand_made:
            text += f"; above the hand-made features: {spans(percents, mean > means[hand_made])}; above the best of "
            text += f"all classifiers on them at each share: {spans(percents, mean > hardest)}"
        lines.append(f"{text}.")
    return lines


def _table(scores: Scores, percents: Sequence[int], guess: tuple[float, float, float]) -> list[str]:
    shown = [place for place, percent in enumerate(percents) if percent in _SHOWN]
    text = "Mean and half the width of its band, by the share of the labels. "
    text += f"Chance: {guess[0]:.3f} ({guess[1]:.3f} to {guess[2]:.3f})."
    rows = []
    for kind, by in scores.items():
        baseline = next(iter(by.values()))
        for name, curve in by.items():
            mean, band = curve.mean(axis=0), band_of(curve)
            above = "" if curve is baseline else spans(percents, mean > baseline.mean(axis=0))
            rows.append([kind, name, *(f"{mean[place]:.3f} ± {band[place]:.3f}" for place in shown), above])
    return [text, "", table(["classifier", "features", *(f"{percents[k]} %" for k in shown), "above the hand-made"], rows)]


def _draw(
    kind: str, curves: Mapping[str, Floats], percents: Sequence[int], guess: tuple[float, float, float], folder: Path
) -> Path:
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        panel = figure.subplots()
        panel.axhspan(*guess[1:], color="#000000", alpha=0.07, linewidth=0)
        panel.axhline(guess[0], color="#000000", linestyle=":", linewidth=1, label="chance, and 95 % of guesses")
        for (line, colour), (name, curve) in zip(itertools.product(_LINES, _COLOURS), curves.items(), strict=False):
            mean, band = curve.mean(axis=0), band_of(curve)
            panel.plot(percents, mean, color=colour, linestyle=line, linewidth=1.4, label=name)
            panel.fill_between(percents, *np.clip([mean - band, mean + band], 0, 1), color=colour, alpha=0.18, linewidth=0)
        panel.set_title(_VIEW, fontsize=9)
        panel.set(xlabel="labelled recordings used, % of each class", ylabel=_METRIC, xlim=(0, 100))
        panel.grid(axis="y", color="#000000", alpha=0.08)
        figure.suptitle(f"{TITLE} · {kind}", fontsize=10.5)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        path = folder / f"{NAME}_{kind.replace(' ', '_').lower()}.png"
        figure.savefig(path, dpi=130, metadata={"Software": ""})
    return path


def _describe(name: str, recordings: Sequence[Recording]) -> str:
    voices = len({recording.speaker for recording in recordings})
    counts = Counter(CLASSES[recording.label] for recording in recordings)
    return f"{name} {len(recordings)} of {voices} speakers ({' / '.join(f'{counts[name]} {name}' for name in CLASSES)})"


def main(words: Sequence[str] | None = None) -> None:
    """Run or resume the experiment; then write JSON, figures and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with utterances.csv: file, speaker, gender, age")
    add("--unheard", type=Path, required=True, help="such a folder to test on, of speakers that no network heard")
    add("--models", nargs="+", default=MODELS, metavar="MODEL:KIND", help=f"and what of them: {' or '.join(KINDS)}")
    add("--opensmile", nargs="*", default=["eGeMAPSv02", "ComParE_2016"], metavar="SET")
    add("--linear", type=int, metavar="UNITS", help="a linear code of so many numbers, as the first model sees sound")
    add("--classifiers", nargs="+", choices=CLASSIFIERS, default=list(CLASSIFIERS), metavar="NAME")
    add("--step", type=int, default=2, help="percent from one share of the labels to the next (2)")
    add("--seeds", type=int, default=5, help="repetitions (5)")
    add("--out", type=Path, default=RESULTS, help="folder of the results")
    add("--work", type=Path, default=ROOT / "build" / "label_efficiency", help="folder of vectors and curves")
    options = parser.parse_args(words)

    recordings, test = read_recordings(options.data), read_recordings(options.unheard)
    names = tuple(recording.speaker for recording in recordings)
    # As `edgevoice-export train` divides them by default: whom the models trained on the whole corpus have not heard.
    parts = divide(recordings, [names[place] for place in split_speakers(names, 0.1, 0)[1]])
    asked = [name.rsplit(":", 1) for name in options.models]
    sources: dict[str, Source] = {"hand-made (pyAudioAnalysis)": HandMade()}
    for model, kind in asked:
        source = KINDS[kind](model)
        sources[f"{source.name} ({kind})"] = source
    if options.linear:
        config = find_model(asked[0][0]).config
        paths = [options.data / recording.file for recording in parts["unlabelled"]]
        windows = Spectrograms(config).sampled(tqdm(paths, desc="linear code", disable=None), _LINEAR_WINDOWS)
        sources[f"PCA-{options.linear} (codes)"] = MeanLinearCode(LinearCode.fit(windows, options.linear), config)
    sources |= {name: OpenSmile(name) for name in options.opensmile}

    def items(source: Source, folder: Path, recordings: Sequence[Recording]) -> tuple[Vector, Labels]:
        files = [recording.file for recording in recordings]
        rows = vectors_by_folder(
            source, folder, files, options.work, lambda folders: tqdm(folders, desc=source.name, disable=None)
        )
        return rows, np.array([recording.label for recording in recordings], np.int8)

    sets = {
        name: FeatureSet(*items(source, options.data, parts["labelled"]), *items(source, options.unheard, test))
        for name, source in sources.items()
    }
    percents = list(range(options.step, 101, options.step))
    kept = joblib.Memory(options.work / "curves", verbose=0).cache(scores_of)
    curves = tqdm([(kind, name) for kind in options.classifiers for name in sets], desc="curves", disable=None)
    scores: dict[str, dict[str, Floats]] = {kind: {} for kind in options.classifiers}
    for kind, name in curves:
        scores[kind][name] = kept(kind, sets[name], percents, options.seeds)
    described = {"labelled": parts["labelled"], "unlabelled": parts["unlabelled"], "test": test}
    told = "; ".join(_describe(name, part) for name, part in described.items())
    method = _METHOD.replace("{adult}", str(ADULT)).replace("{parts}", told)
    print(write(scores, percents, next(iter(sets.values())).truth, method, options.out))


if __name__ == "__main__":
    main()
