"""The model card: what users of a model folder should know, as Markdown."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.publish.markdown import NOT_STATED, metadata, spdx, table
from edgevoice_export.publish.measures import Drift, HeldOut
from edgevoice_export.publish.verify import Verification

if TYPE_CHECKING:  # they need PyTorch, and the card of a compact model does not
    from edgevoice_export.training.runs import Checkpoint, Lineage
    from edgevoice_export.training.settings import Settings

Indices = NDArray[np.int64]
_GROUPS = 8  # rows of the table by band


@dataclass(frozen=True)
class Description:
    """The description that the authors of a model give."""

    name: str
    version: str = "1.0.0"
    licence: str = NOT_STATED
    data: str = "audio that its makers keep"
    data_licence: str = NOT_STATED
    notes: str = ""
    """Markdown with limits, and reasons for choices."""


@dataclass(frozen=True)
class Training:
    """What a trained model was made of and by, for its card and for `model.json`."""

    description: Description
    checkpoint: Checkpoint
    corpus: Corpus
    utterances: tuple[Indices, Indices]
    """Those for training and for validation, as indices of the corpus."""
    held_out: Mapping[str, HeldOut]
    """The errors on the speakers for validation, by level."""
    drift: Drift | None
    """How far the features have moved from those of the initial model."""

    @property
    def settings(self) -> Settings:
        """The settings of the last run."""
        return self.checkpoint.settings

    @property
    def lineage(self) -> Lineage:
        """All runs that led to the model, the last one included."""
        name = f"{self.description.name} {self.description.version}"
        return (*self.checkpoint.earlier, dataclasses.replace(self.checkpoint.run, model=name))

    @property
    def speakers(self) -> tuple[int, int]:
        """The numbers of speakers for training and for validation."""
        fitted, held_back = (len({self.corpus.speakers[u] for u in part}) for part in self.utterances)
        return fitted, held_back


def trained_card(config: ModelConfig, training: Training, verification: Verification) -> str:
    """Write the card of a trained model."""
    errors = {level: found.mean for level, found in training.held_out.items()}
    return _card(
        metadata(config, training.description.data, errors),
        *_summary(config, training.description.data_licence),
        "![Windows of unseen speakers, and what the model makes of them](example.png)",
        _usage(config),
        _data(training),
        _settings(training),
        _history(training),
        _held_out(config, training),
        *([_drift(training.drift, training.settings)] if training.drift else []),
        _level(config),
        _exactness(verification),
        training.description.notes.strip(),
    )


def imported_card(config: ModelConfig, source: str, verification: Verification, notes: str) -> str:
    """Write the card of a model whose weights were published elsewhere."""
    parts = [*_summary(config), f"## Source\n\n{source}", _usage(config), _exactness(verification), notes.strip()]
    return _card(metadata(config), *parts)


def compact_card(config: ModelConfig, source: ModelConfig, audio_name: str, windows: int, drift: str, sizes: str) -> str:
    """Write the card of a model with 8-bit weights in the place of those of `source`.

    The tables are of the drift, as measured on so many windows of `audio_name`, and of the sizes of the files.
    """
    title = (
        f"`{source.name}` {source.version} with 8-bit weights in its large matrix products. {source.summary}\n\n"
        f"Version {config.version}. {_licences(config)} For all else see the card of "
        f"`{source.name}`; `model.json` has its origin, and the digests of its networks."
    )
    block = config.origin["compact"]["block"]
    rounding = (
        f"Each row of a matrix is rounded to codes of 8 bits, with a scale for every {block} weights. What goes into these "
        "products is rounded to 8 bits in the same way while they run; sums are float32. All else is computed as before."
    )
    drifts = (
        f"Against `{source.name}` {source.version}, {windows} windows of {audio_name}, both in ONNX Runtime on "
        f"the CPU:\n\n{drift}\n\nThe spread is the standard deviation of a number over these windows. Train classifiers on "
        "the features of the model that they will be used with."
    )
    parts = [title, _usage(config), f"## 8-bit weights\n\n{rounding}\n\n{sizes}", f"## Drift\n\n{drifts}"]
    return _card(metadata(config), f"# {config.name}", *parts)


def _card(*parts: str) -> str:
    return "\n\n".join(parts).rstrip() + "\n"


def _summary(config: ModelConfig, data: str = "") -> tuple[str, str]:
    return f"# {config.name}", f"{config.summary}\n\nVersion {config.version}. {_licences(config, data)}"


def _licences(config: ModelConfig, data: str = "") -> str:
    """The licences as SPDX identifiers, where these are known."""
    weights, trained_on = (name if name == NOT_STATED else f"`{spdx(name)}`" for name in (config.licence, data))
    stated = f", data {trained_on}" if data else ""
    return f"Licences: weights {weights}{stated}; the code that runs them, EdgeVoice, `MIT`."


def _usage(config: ModelConfig) -> str:
    audio, spectrogram = config.audio, config.spectrogram
    window, hop = 1000 * audio.window / audio.rate, 1000 * audio.hop / audio.rate
    return (
        f"## In and out\n\nAt {audio.rate} Hz, a window of {audio.window} samples ({window:g} ms) every {audio.hop} "
        f"({hop:g} ms) becomes a spectrogram of {spectrogram.bands.count} bands x {config.columns} columns, and that "
        f"{config.features.bottleneck} bottleneck numbers and {config.features.error} errors, one per band. "
        "`model.json` has every number of the way there."
    )


def _data(training: Training) -> str:
    corpus, described = training.corpus, training.description
    chosen = "drawn with the seed" if corpus.validating is None else "named in the table of recordings"
    fitted, held_back = (f"{n} ({len(part)}" for n, part in zip(training.speakers, training.utterances, strict=True))
    return (
        f"## Data\n\n{described.data}; licence: {described.data_licence}. {training.corpus.hours:.2f} hours, {len(corpus)} "
        f"utterances of {sum(training.speakers)} speakers; {len(corpus.skipped)} files could not be used. Split by speaker: "
        f"{fitted} utterances) for training, {held_back}) for validation, {chosen}."
    )


def _settings(training: Training) -> str:
    values = ", ".join(f"{key} {value}" for key, value in dataclasses.asdict(training.settings).items() if value is not None)
    *earlier, own = training.lineage
    text = f"## Training\n\n    {own.command()}\n\nAll settings: {values}."
    if earlier:
        commands = "\n\n".join(f"    # {run.model}\n    {run.command()}" for run in earlier)
        begun = "The weights that it began with, from the first run on (`edgevoice-export retrain` runs all of them)"
        text += f" {begun}:\n\n{commands}"
    return text


def _history(training: Training) -> str:
    history = training.checkpoint.history
    names = list(history[-1].row())
    head = ["loss, training" if name == "training" else name for name in names]
    head = [f"validation, {name}" if name in history[0].validation else name.replace("_", " ") for name in head]
    rows = [[_number(name, epoch.row().get(name)) for name in names] for epoch in history]
    epochs = table(head, rows, "l" * len(names))
    began = " Epoch 0 is the model that it began with." if history[0].epoch == 0 else ""
    return f"![Loss by epoch](history.png)\n\nUp to the epoch whose weights are kept.{began}\n\n{epochs}"


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if name in {"epoch", "seconds"} else f"{value:.3e}"


def _held_out(config: ModelConfig, training: Training) -> str:
    bands = config.spectrogram.bands.count
    edges = np.linspace(0, bands, min(_GROUPS, bands) + 1).astype(int)
    levels = list(training.held_out)
    head = ["bands", *(f"level {level}" for level in levels)]
    rows = []
    for first, last in itertools.pairwise(edges):
        means = [f"{training.held_out[level].by_band[first:last].mean():.2e}" for level in levels]
        rows.append([f"{first}-{last - 1}", *means])
    rows.append(["all", *(f"**{training.held_out[level].mean:.3e}**" for level in levels)])
    windows = next(iter(training.held_out.values())).windows
    kept = "the last one, whatever they say" if training.settings.keeps_last else "the one that is best on them"
    return (
        f"## Held-out figures\n\nMean squared error of the standardised spectrogram on all {windows} windows of the "
        f"{training.speakers[1]} validation speakers, computed with the folder's own networks. The networks were not "
        f"trained on these speakers; the epoch whose weights are kept is {kept}:\n\n" + table(head, rows, "l" * len(head))
    )


def _drift(drift: Drift, settings: Settings) -> str:
    return (
        f"## Drift\n\nFrom the features of `{settings.init}`, with which the run began, over {drift.windows} windows of "
        f"{drift.recordings} validation recordings: root mean square difference of a number, in standard deviations of it. "
        f"Train classifiers on the features of the model that they will be used with.\n\n{drift.table()}\n\n"
        f"The reconstruction against that of `{settings.init}`, on the validation speakers, by whom the epoch was chosen: "
        f"{drift.verdict}."
    )


def _level(config: ModelConfig) -> str:
    level, step = config.level, config.level.step / config.audio.rate
    half_life = np.inf if level.decay == 1 else np.log(0.5) / np.log(level.decay) * step
    return (
        f"## Level\n\nDefault: `{level.default}`. The running level is updated every {level.step} samples "
        f"({1000 * level.step / config.audio.rate:g} ms) with mean rate {level.mean_rate:g}, decay {level.decay:g} (half of "
        f"a peak is forgotten in {half_life:.0f} s) and peak floor {level.peak_floor:g}."
    )


def _exactness(verification: Verification) -> str:
    largest = ", ".join(f"{name} {value:.1e}" for name, value in verification.differences.items())
    return (
        f"## Exactness\n\nONNX Runtime on the CPU against PyTorch in float64, {verification.windows} windows at batch "
        f"{verification.batches}: largest differences {largest}."
    )
