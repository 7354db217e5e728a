"""A parser whose errors are one line, with the option that was probably meant."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """As argparse's, but for what it says of wrong usage. Subcommands added to it are parsed likewise."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with 2."""
        message = message.removeprefix("argument ")
        unknown = message.removeprefix("unrecognized arguments: ").split(" ")[0] if "unrecognized" in message else ""
        meant = difflib.get_close_matches(unknown.split("=")[0], sorted(set(_options(self))), 1) if unknown else []
        hint = f"did you mean {meant[0]}?" if meant else f"see {self.prog} --help"
        self.exit(2, f"{self.prog}: {message} ({hint})\n")


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Long options of a parser and its subcommands."""
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way to its options
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _options(command)
