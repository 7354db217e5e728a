"""Options that several subcommands share."""

from __future__ import annotations

import argparse
from typing import Any

from edgevoice.errors import ArgumentError
from edgevoice.extractor import DESCRIPTORS, Extractor, load
from edgevoice.levels import LEVELS
from edgevoice.providers import known_devices
from edgevoice.wholenumbers import parse_whole

Commands = Any
"""The return type of `add_subparsers`, for which argparse has no public name."""


def parser_of(commands: Commands, name: str, epilog: str = "") -> argparse.ArgumentParser:
    """Make the parser of the subcommand `name`, with its summary from the list of all commands."""
    parser: argparse.ArgumentParser = commands.choices[name]
    parser.epilog = epilog
    return parser


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `edgevoice.load`."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model", metavar="MODEL", default="cae-256", help="name or path of the model (default: %(default)s)"
    )
    group.add_argument("--descriptors", choices=DESCRIPTORS, default="all", help="which numbers a frame has (default: all)")
    group.add_argument("--device", default="cpu", metavar="DEVICE", help=f"{known_devices()} (default: cpu)")
    group.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="CPU threads of one computation (default: 1)"
    )


def add_window_options(parser: argparse.ArgumentParser, each: bool = False) -> None:
    """Add the options for levels, hops and channels; with `each`, `--channel each` is allowed."""
    group = parser.add_argument_group("windows")
    group.add_argument(
        "--level",
        type=level,
        metavar="NAME|GAIN",
        help=f"{', '.join(LEVELS)} or a fixed gain (default: the model's own level)",
    )
    group.add_argument("--hop", type=float, metavar="SECONDS", help="between windows (default: the model's)")
    if each:
        text = "use this channel, from 0 up, or each of them by itself (default: mean of all)"
        group.add_argument("--channel", type=_channel, metavar="N|each", help=text)
    else:
        group.add_argument("--channel", type=index, metavar="N", help="use this channel, from 0 up (default: mean of all)")


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add `--force`: without it, no existing file is replaced."""
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def load_extractor(arguments: argparse.Namespace) -> Extractor:
    """Load the model that the options of `add_model_options` name."""
    return load(arguments.model, device=arguments.device, threads=arguments.threads, descriptors=arguments.descriptors)


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


def refuse(arguments: argparse.Namespace, names: tuple[str, ...], reason: str) -> None:
    """Raise ArgumentError if one of these options was given."""
    given = [f"--{name}" for name in names if getattr(arguments, name) not in (None, False)]
    if given:
        raise ArgumentError(f"{', '.join(given)}: {reason}")
