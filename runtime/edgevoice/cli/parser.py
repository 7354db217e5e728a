"""A parser whose errors are one line, and that suggests the option which was probably meant."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NoReturn

from edgevoice.cli.console import show, tell

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
        words = self._words if self._subparsers else self._options_first(self._words)
        namespace, unknown = super().parse_known_args(words, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def _options_first(self, words: Sequence[str]) -> list[str]:
        """Put names behind all options, where argparse takes them together; before and after an option it does not."""
        options: list[str] = []
        names: list[str] = []
        left = deque(words)
        while left:
            word = left.popleft()
            if word == "--":
                names += left
                break
            (options if word.startswith("-") and word != "-" else names).append(word)
            action = self._option_string_actions.get(word)
            if left and action is not None and action.nargs is None:
                options.append(left.popleft())
            while left and action is not None and action.nargs in ("?", "*", "+") and not left[0].startswith("-"):
                options.append(left.popleft())
                if action.nargs == "?":
                    break
        return [*options, "--", *names] if names else options

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ARG002 - argparse's hook for help and version
        """Print on standard output.

        Raises:
            OutputError: it cannot be written; argparse itself would let that pass.
        """
        show(message.removesuffix("\n"))

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and exit with code 2."""
        message = message.removeprefix("argument ")
        options = [option for action in self._actions for option in action.option_strings]
        words = takewhile(lambda word: word != "--", self._words)
        unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in options]
        if message.startswith("the following arguments are required") and unknown:
            # The missing option may be there, misspelt.
            message = f"unrecognized arguments: {unknown[0]}"
        _, _, wrong = message.partition("unrecognized arguments: ")
        known: list[str] = options
        if choice := _CHOICE.search(message):
            wrong, known = choice[1], re.findall(r"[\w-]+", choice[2])
        meant = difflib.get_close_matches(wrong.split(" ")[0].split("=")[0], known, 1, 0.7)
        tell(f"{message} ({f'did you mean {meant[0]}?' if meant else f'see {self.prog} --help'})", self.prog)
        self.exit(2)
