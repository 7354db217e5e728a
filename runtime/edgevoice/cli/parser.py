"""A parser whose errors are one line, and that suggests the option which was probably meant."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from edgevoice.cli.console import flush_output

_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` with other messages for wrong usage. Its subcommands use it too."""

    _words: Sequence[str] = ()

    def __init__(self, **settings: Any) -> None:
        # What abbreviates one option today may abbreviate two tomorrow.
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse as argparse does; unknown arguments of a subcommand are reported by the subcommand, not by its parent."""
        self._words = sys.argv[1:] if args is None else args
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        self._refuse_doubles()
        return namespace, unknown

    def _refuse_doubles(self) -> None:
        """Report an option that is given twice: argparse would silently take the last one."""
        options = {
            option: action
            for action in self._actions
            if not isinstance(action, argparse._AppendAction | argparse._CountAction)  # noqa: SLF001 - no public names
            for option in action.option_strings
        }
        given = set()
        for word in self._words:
            if word == "--":
                return
            # A word that begins like an option is never a value: argparse itself treats it as an option.
            option = next((name for name in (word, word.split("=")[0], word[:2]) if name in options), None)
            if option and options[option] in given:
                self.error(f"{option}: given twice")
            if option:
                given.add(options[option])

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit as argparse does, after printed text has been flushed.

        Raises:
            OutputError: it cannot be written.
        """
        flush_output()
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and exit with code 2."""
        message = message.removeprefix("argument ")
        options = [option for action in self._actions for option in action.option_strings]
        unknown = [word for word in self._words if word.startswith("--") and word.split("=")[0] not in ("--", *options)]
        if message.startswith("the following arguments are required") and unknown:
            # The missing option may be there, misspelt.
            message = f"unrecognized arguments: {unknown[0]}"
        _, _, wrong = message.partition("unrecognized arguments: ")
        known: list[str] = options
        if choice := _CHOICE.search(message):
            wrong, known = choice[1], re.findall(r"[\w-]+", choice[2])
        meant = difflib.get_close_matches(wrong.split(" ")[0].split("=")[0], known, 1, 0.7)
        hint = f"did you mean {meant[0]}?" if meant else f"see {self.prog} --help"
        self.exit(2, f"{self.prog}: {message} ({hint})\n")
