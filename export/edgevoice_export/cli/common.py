"""Options and output that several subcommands share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from edgevoice.cli import console
from edgevoice.cli.console import show
from edgevoice.cli.options import positive
from edgevoice.config import AudioConfig, ModelConfig, is_model_name
from edgevoice.errors import ArgumentError
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.corpus import Corpus, Progress, read_corpus
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.publish.card import Description
from edgevoice_export.publish.verify import BATCHES, Images, Verification, recorded_spectrograms, synthetic_spectrograms

_FEWEST = max(BATCHES)

tell = partial(console.tell, program="edgevoice-export")


@dataclass(frozen=True)
class Audio:
    """The audio that a command reads, as `add_audio_options` has it."""

    data: Path
    table: Path | None
    pad: bool
    cache: Path | None

    @classmethod
    def of(cls, words: argparse.Namespace) -> Audio:
        """From the parsed options."""
        return cls(words.data, words.table, words.pad, words.cache)

    def words(self) -> list[str]:
        """The options that give it."""
        places = {"data": self.data, "table": self.table, "cache": self.cache}
        named = [word for name, place in places.items() if place for word in (f"--{name}", str(place))]
        return [*named, *(["--pad"] if self.pad else [])]

    def read(self, audio: AudioConfig) -> Corpus:
        """Read the corpus for a model, with a progress bar; print the files that cannot be used."""
        progress: Progress = partial(tqdm, desc="reading", unit=" files", disable=None, leave=False)
        found = read_corpus(self.data, audio.rate, 1 if self.pad else audio.window, self.table, self.cache, progress)
        for reason in found.skipped:
            tell(f"skipped {reason}")
        speakers, skipped = len(set(found.speakers)), len(found.skipped)
        tell(f"{len(found)} utterances of {speakers} speakers, {found.hours:.2f} h; {skipped} files skipped")
        return found


def add_audio_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the audio: where it is, and who speaks in it."""
    group = parser.add_argument_group("data")
    group.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of audio, with its subfolders")
    group.add_argument(
        "--table",
        type=Path,
        metavar="CSV",
        help="columns file,speaker, and use (train or validate) where speakers for validation are not to be drawn (default: "
        "DIR/utterances.csv if there is one, else the folder that a file is in is its speaker)",
    )
    group.add_argument("--pad", action="store_true", help="fill files shorter than a window up with zeros, not skip them")
    where = "for decoded samples (default: edgevoice/corpora in $XDG_CACHE_HOME or ~/.cache)"
    group.add_argument("--cache", type=Path, metavar="DIR", help=where)


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the hardware."""
    group = parser.add_argument_group("machine")
    group.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default: cpu")
    group.add_argument("--threads", type=positive, metavar="N", help="CPU threads (default: one per core)")


def add_description_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for what `model.json` and the card say."""
    group = parser.add_argument_group("description")
    group.add_argument("--out", type=Path, required=True, metavar="MODELFOLDER", help="the model folder to write")
    group.add_argument("--name", help="name of the model (default: that of the folder)")
    group.add_argument("--model-version", default="1.0.0", metavar="VERSION")
    group.add_argument("--licence", default=Description.licence, help="of the weights (default: not stated)")
    group.add_argument("--data-name", default=Description.data, metavar="TEXT", help="what the data is, for the card")
    group.add_argument("--data-licence", default=Description.data_licence, metavar="TEXT")
    group.add_argument("--notes", type=Path, metavar="FILE", help="Markdown that ends the card: limits, reasons")


def description(options: argparse.Namespace) -> Description:
    """The description from the options of `add_description_options`."""
    name = options.name or options.out.resolve().name
    if not is_model_name(name):
        raise ArgumentError(f"model name {name!r}: expected letters, digits, '-', '_' and '.' (--out, or --name beside it)")
    try:
        notes = options.notes.read_text(encoding="utf-8") if options.notes else ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text in UTF-8"
        raise ArgumentError(f"{options.notes}: cannot be read ({reason})") from error
    licences = {"licence": options.licence, "data_licence": options.data_licence}
    return Description(name, options.model_version, data=options.data_name, notes=notes, **licences)


def add_window_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the windows on which a model is compared."""
    recording = "a recording to compare on (default: a synthetic voice, the same everywhere)"
    parser.add_argument("--audio", type=Path, metavar="FILE", help=recording)
    most = f"largest number of windows, {_FEWEST} or more (default: 64)"
    parser.add_argument("--windows", type=positive, default=64, help=most)


def windows(options: argparse.Namespace, config: ModelConfig) -> tuple[Images, str]:
    """The spectrograms from `add_window_options`, float32 (n, 1, bands, columns), and a description of their source."""
    if options.windows < _FEWEST:
        raise ArgumentError(f"--windows {options.windows}: expected {_FEWEST} or more")
    preprocessing = Preprocessing.of(config)
    if options.audio is None:
        return synthetic_spectrograms(preprocessing, options.windows), "a synthetic voice"
    return recorded_spectrograms(options.audio, preprocessing, options.windows), options.audio.name


def print_export(written: ModelFolder, verification: Verification) -> None:
    """Print what was exported on standard output."""
    print_verification(verification)
    show(f"{written.path}: {written.config.name} {written.config.version}")


def print_verification(result: Verification) -> None:
    """Print the result of a verification on standard output."""
    for name, value in result.differences.items():
        show(f"{name:15} {value:.2e}")
    show(f"{'largest':15} {result.difference:.2e}  ({result.windows} windows at batch {result.batches})")
