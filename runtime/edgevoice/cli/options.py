"""Options that several subcommands share, and the plain values that commands get in place of parsed words."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, get_type_hints

from edgevoice.audio.files import check_times
from edgevoice.cli.console import standard_input
from edgevoice.corpus.index import Index, index_of_inputs, read_index, read_index_file
from edgevoice.errors import ArgumentError, AudioFormatError
from edgevoice.extractor import DESCRIPTORS, Descriptors, Extractor, load
from edgevoice.files import check_outputs
from edgevoice.levels import LEVELS
from edgevoice.providers import known_devices
from edgevoice.recipe import Reading
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


def option(*names: str, group: str = "", **settings: Any) -> Any:
    """A field of a dataclass that is an option too: `--name` unless `names` has others; without dashes, a position.

    The settings are those of `add_argument`; a field of type bool is a flag.
    """
    default = settings.pop("default", None)
    return dataclasses.field(default=default, metadata={"names": names, "group": group, "settings": settings})


def _declare(parser: argparse.ArgumentParser, kind: type[Any]) -> None:
    """Add the fields of a dataclass that are an `option` to a parser, and those of its fields that are dataclasses."""
    groups: dict[str, Any] = {"": parser}
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        if "settings" not in item.metadata:
            continue
        names, group = item.metadata["names"], item.metadata["group"]
        default = list(item.default) if isinstance(item.default, tuple) else item.default  # argparse appends to it
        settings = {"default": default, **item.metadata["settings"]}
        if hints[item.name] is bool:
            settings["action"] = "store_true"
        if not names or names[0].startswith("-"):
            settings["dest"] = item.name
        if all(name.startswith("-") and not name.startswith("--") for name in names):
            names = (*names, f"--{item.name.replace('_', '-')}")
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        groups[group].add_argument(*names, **settings)
    for hint in hints.values():  # its own come first: a table before the inputs
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            _declare(parser, hint)


def calls(parser: argparse.ArgumentParser, kind: type[T], function: Callable[[T], int]) -> None:
    """Declare a dataclass, and let a parser call a function with one whose fields are the words of the same names."""
    _declare(parser, kind)
    parser.set_defaults(run=lambda words: function(_value(kind, words)))


def command(
    name: str, kind: type[T], function: Callable[[T], int], epilog: str, **defaults: Any
) -> Callable[[Commands], None]:
    """What completes the parser of a subcommand: `add` of its module."""

    def add(commands: Commands) -> None:
        parser = parser_of(commands, name, epilog)
        calls(parser, kind, function)
        parser.set_defaults(**defaults)

    return add


def _value(kind: type[T], words: argparse.Namespace) -> T:
    values, fields = {}, kind.__dataclass_fields__  # type: ignore[attr-defined]
    for name, hint in get_type_hints(kind).items():
        is_kind = isinstance(hint, type) and dataclasses.is_dataclass(hint)
        value = _value(hint, words) if is_kind else getattr(words, name)
        # argparse takes the value of `-o--` for the end of the options
        if value == [] and not {"nargs", "action"} & fields[name].metadata.get("settings", {}).keys():
            raise ArgumentError(f"--{name.replace('_', '-')}: expected a value")
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


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
    return text if text == "each" else index(text)


def level(text: str) -> str | float:
    """Parse the name of a level, or a gain."""
    try:
        return text if text in LEVELS else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {', '.join(LEVELS)} or a number") from None


_machine, _windows = partial(option, group="model"), partial(option, group="windows")
level_option = partial(
    _windows, type=level, metavar="NAME|GAIN", help=f"{', '.join(LEVELS)} or a fixed gain (default: the model's own level)"
)
hop_option = partial(_windows, type=float, metavar="SECONDS", help="between windows (default: the model's)")
force_option = partial(option, default=False, help="replace a file that is there")
jobs_option = partial(
    option, type=positive, metavar="N", help="how many computations run at the same time (default: all cores)"
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a command that lists things was asked for."""

    json: bool = option(help="as a JSON array", default=False)


@dataclass(frozen=True, slots=True)
class Machine:
    """What computes."""

    device: str = _machine(default="cpu", metavar="DEVICE", help=f"{known_devices()} (default: cpu)")
    threads: int = _machine(type=positive, default=1, metavar="N", help="CPU threads of one computation (default: 1)")


@dataclass(frozen=True, slots=True)
class ModelOptions(Machine):
    """The arguments of `edgevoice.load`."""

    model: str = _machine(metavar="MODEL", default="cae-256", help="name or path of the model (default: cae-256)")
    descriptors: Descriptors = _machine(choices=DESCRIPTORS, default="all", help="the numbers of a frame (default: all)")

    def load(self) -> Extractor:
        """Load the model."""
        return load(self.model, device=self.device, threads=self.threads, descriptors=self.descriptors)


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How windows are made."""

    level: str | float | None = level_option()
    hop: float | None = hop_option()
    channel: int | None = _windows(type=index, metavar="N", help="use this channel, from 0 up (default: mean of all)")


@dataclass(frozen=True, slots=True)
class ReadingOptions(Reading):
    """How the recordings of a table are read."""

    level: str | float | None = level_option()
    hop: float | None = hop_option()
    channel: int | str | None = _windows(
        type=_channel, metavar="N|each", help="use this channel, from 0 up, or each by itself (default: mean of all)"
    )
    pad: bool = option(help="pad audio shorter than one window with zeros", default=False)
    incomplete: str = option(
        choices=("error", "keep"),
        default="error",
        help="files that are cut short are failures (error, the default), or read as far as they go (keep)",
    )


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is read: files and folders, or an index."""

    inputs: tuple[str, ...] = option(
        "inputs", nargs="*", default=(), metavar="INPUT", help="an audio file, or a folder with audio files"
    )
    index: str | None = option(metavar="CSV", help="read what this CSV lists, or standard input (-)")
    root: str | None = option(
        metavar="DIR",
        help="the folder that files of an index are in, and are named below (default: the folder given, that of the CSV, "
        "or the current one)",
    )
    start: float | None = option(type=float, metavar="S", help="start of what is read from each input, in seconds")
    end: float | None = option(type=float, metavar="S", help="end of what is read from each input, in seconds")
    keep: tuple[str, ...] = option(
        action="append",
        default=(),
        metavar="COLUMN",
        help="a column of the index that is your own, though its name looks like a start or an end; may be repeated",
    )

    def read(self) -> Index:
        """Make the index."""
        if bool(self.inputs) == (self.index is not None):
            raise ArgumentError("expected INPUT..., or --index CSV, and not both")
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


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add `--force`: without it, no existing file is replaced."""
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def check_places(
    files: Sequence[str | None], inputs: Sequence[str], force: bool, tables: Sequence[str | os.PathLike[str]] = ()
) -> None:
    """Check the files and tables that a command would write, before it computes anything: none twice, and none an input.

    Of the files, None and `-` are none. Without `force`, none may be there.
    """
    named = [file for file in files if file and file != "-"]
    check_outputs([*named, *(file for table in tables for file in files_of(table))], inputs)
    there = [file for file in named if os.path.isfile(file)]  # noqa: PTH113 - False for a name that is too long
    there += [str(found) for table in tables if (found := obstacle(table))]
    if there and not force:
        others = f", and {len(there) - 1} more" if len(there) > 1 else ""
        raise ArgumentError(f"{there[0]}: already exists{others}; choose another name, or replace it with --force")
