"""Options that several subcommands share, and the plain values that commands get in place of parsed words."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from edgevoice.audio.source import check_times
from edgevoice.cli.console import standard_input
from edgevoice.corpus.index import Index, index_of_inputs, read_index, read_index_file
from edgevoice.errors import ArgumentError, AudioFileNotFoundError, AudioFormatError
from edgevoice.extractor import DESCRIPTORS, Descriptors, Extractor, load
from edgevoice.files import check_outputs, refuse_existing
from edgevoice.levels import LEVELS
from edgevoice.providers import known_devices
from edgevoice.tables.table import files_of, obstacle
from edgevoice.wholenumbers import parse_whole

T = TypeVar("T")
Commands = Any
"""The return type of `add_subparsers`, for which argparse has no public name."""


def parser_of(commands: Commands, name: str, epilog: str = "") -> argparse.ArgumentParser:
    """The parser of the subcommand `name`."""
    parser: argparse.ArgumentParser = commands.choices[name]
    parser.epilog = epilog
    return parser


def calls(parser: argparse.ArgumentParser, kind: type[T], function: Callable[[T], int]) -> None:
    """Let a parser call a function with a dataclass, whose fields are the words of the same names.

    A field that is a dataclass itself is made in the same way.
    """
    parser.set_defaults(run=lambda words: function(_value(kind, words)))


def _value(kind: type[T], words: argparse.Namespace) -> T:
    values = {}
    for name, hint in get_type_hints(kind).items():
        value = _value(hint, words) if isinstance(hint, type) and dataclasses.is_dataclass(hint) else getattr(words, name)
        # argparse takes the value of `-o--` for the end of the options
        if value == [] and name not in ("inputs", "keep", "opensmile"):
            raise ArgumentError(f"--{name.replace('_', '-')}: expected a value")
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a command that lists things was asked for."""

    json: bool


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The arguments of `edgevoice.load`."""

    model: str
    descriptors: Descriptors
    device: str
    threads: int

    def load(self) -> Extractor:
        """Load the model."""
        return load(self.model, device=self.device, threads=self.threads, descriptors=self.descriptors)


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How windows are made: as `Extractor.extract` and `Extractor.stream` take it."""

    level: str | float | None
    hop: float | None
    channel: Any
    """From 0 up; None: the mean; in tables also `each`."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is read: files and folders, or an index."""

    inputs: tuple[str, ...]
    index: str | None
    """Path of a CSV, `-` for standard input."""
    root: str | None
    start: float | None
    end: float | None
    keep: tuple[str, ...]
    """Columns of the index that are the user's own, though their names look like a place."""

    def read(self) -> Index:
        """Make the index.

        Raises:
            ArgumentError: both kinds of input were named, or none; or the index cannot be used.
            AudioFileNotFoundError: a folder or the index is not there.
        """
        if bool(self.inputs) == (self.index is not None):
            raise ArgumentError("expected INPUT..., or --index CSV, and not both")
        if self.root is not None and not Path(self.root).is_dir():
            raise AudioFileNotFoundError(f"{self.root}: no such folder, expected the root of the files")
        check_times(self.start, self.end)
        if self.index is None:
            index = index_of_inputs(self.inputs, self.root)
            return dataclasses.replace(index, rows=tuple(row._replace(start=self.start, end=self.end) for row in index.rows))
        if self.start is not None or self.end is not None:
            raise ArgumentError("--start and --end are for INPUT...: an index has columns of these names")
        if self.index != "-":
            return read_index_file(self.index, self.root, self.keep)
        if sys.stdin is None:
            raise ArgumentError("standard input: is closed")
        try:
            return read_index(standard_input(), self.root, self.keep)
        except AudioFormatError as error:
            raise AudioFormatError(f"standard input: {error}") from error

    def files(self, index: Index) -> list[str]:
        """Paths of all files that are read: what an output may not be."""
        return [*(row.path for row in index.rows), *([self.index] if self.index not in (None, "-") else [])]


def check_places(
    files: Sequence[str | None], inputs: Sequence[str], force: bool, tables: Sequence[str | os.PathLike[str]] = ()
) -> None:
    """Check what a command would write, before it computes anything.

    Args:
        files: to be written; None and `-` are none.
        inputs: all files that it reads.
        force: whether files that are there may be replaced; inputs never.
        tables: to be written, each with the files that belong to it.

    Raises:
        ArgumentError: a file is there, would be written twice, or is an input.
    """
    named = [file for file in files if file not in (None, "-")]
    check_outputs([*named, *(file for table in tables for file in files_of(table))], inputs)
    if force:
        return
    for file in named:
        refuse_existing(file)
    there = [found for table in tables if (found := obstacle(table))]
    if there:
        others = f", and {len(there) - 1} more" if len(there) > 1 else ""
        raise ArgumentError(f"{there[0]}: already exists{others}; choose another name, or replace it with --force")


def add_listing(parser: argparse.ArgumentParser, function: Callable[[Listing], int]) -> None:
    """Add the option of `Listing`."""
    parser.add_argument("--json", action="store_true", help="as a JSON array")
    calls(parser, Listing, function)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the options of `Inputs`."""
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="an audio file, or a folder with audio files")
    parser.add_argument("--index", metavar="CSV", help="read what this CSV lists, or standard input (-)")
    parser.add_argument(
        "--root",
        metavar="DIR",
        help="the folder that files of an index are in, and are named below (default: the folder given, that of the CSV, "
        "or the current one)",
    )
    parser.add_argument("--start", type=float, metavar="S", help="start of what is read from each input, in seconds")
    parser.add_argument("--end", type=float, metavar="S", help="end of what is read from each input, in seconds")
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="COLUMN",
        help="a column of the index that is your own, though its name looks like a start or an end; may be repeated",
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ModelOptions`."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model", metavar="MODEL", default="cae-256", help="name or path of the model (default: %(default)s)"
    )
    group.add_argument("--descriptors", choices=DESCRIPTORS, default="all", help="which numbers a frame has (default: all)")
    add_machine_options(group)


def add_machine_options(group: Any) -> None:
    """Add the options for what computes."""
    group.add_argument("--device", default="cpu", metavar="DEVICE", help=f"{known_devices()} (default: cpu)")
    group.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="CPU threads of one computation (default: 1)"
    )


def add_window_options(parser: argparse.ArgumentParser, each: bool = False) -> None:
    """Add the options of `WindowOptions`; with `each`, `--channel each` is allowed."""
    group = add_level_options(parser)
    if each:
        text = "use this channel, from 0 up, or each of them by itself (default: mean of all)"
        group.add_argument("--channel", type=_channel, metavar="N|each", help=text)
    else:
        group.add_argument("--channel", type=index, metavar="N", help="use this channel, from 0 up (default: mean of all)")


def add_level_options(parser: argparse.ArgumentParser) -> Any:
    """Add the options for level and hop; return their group."""
    group = parser.add_argument_group("windows")
    group.add_argument(
        "--level",
        type=level,
        metavar="NAME|GAIN",
        help=f"{', '.join(LEVELS)} or a fixed gain (default: the model's own level)",
    )
    group.add_argument("--hop", type=float, metavar="SECONDS", help="between windows (default: the model's)")
    return group


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add `--force`: without it, no existing file is replaced."""
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def positive(text: str) -> int:
    """Parse a whole number, 1 or more."""
    return index(text, 1)


def index(text: str, least: int = 0) -> int:
    """Parse a whole number, 0 or more."""
    try:
        return parse_whole("", text, least)
    except ArgumentError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _channel(text: str) -> int | str:
    """Parse a whole number, 0 or more, or `each`."""
    return text if text == "each" else index(text)


def level(text: str) -> str | float:
    """Parse the name of a level, or a gain."""
    if text in LEVELS:
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {', '.join(LEVELS)} or a number") from None
