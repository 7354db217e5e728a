"""A parser whose errors are one line, with the option that was probably meant."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """As argparse's, but for what it says of wrong usage. Subcommands added to it are parsed likewise."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse's; a subcommand itself refuses what it does not know, and not its parent in its name."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with 2."""
        message = message.removeprefix("argument ")
        _, _, unknown = message.partition("unrecognized arguments: ")
        options = [option for action in self._actions for option in action.option_strings]
        meant = difflib.get_close_matches(unknown.split(" ")[0].split("=")[0], options, 1, 0.7)
        hint = f"did you mean {meant[0]}?" if meant else f"see {self.prog} --help"
        self.exit(2, f"{self.prog}: {message} ({hint})\n")
