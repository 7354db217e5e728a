"""What the commands `edgevoice` and `edgevoice-export` have in common: arguments, errors, signals, exit codes."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import re
import signal
import sys
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NoReturn

from edgevoice import __version__
from edgevoice.cli.console import drop_output, show, tell
from edgevoice.cli.signals import Interrupted, ends_at_once, interruptible
from edgevoice.errors import EdgeVoiceError, EdgeVoiceWarning, MissingPackageError, missing

_EXIT_CODES = """\
exit codes:
  0 done   1 some input failed   2 wrong usage, unknown model or device   130, 143, 129 interrupted
"""
_OPTIONAL = ("av", "torch", "onnx", "onnxscript", "onnx_ir", "matplotlib", "pandas", "pyarrow")  # not installed by all
_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")


def run_program(
    name: str,
    description: str,
    package: str,
    commands: Mapping[str, str],
    examples: str = "",
    arguments: Sequence[str] | None = None,
) -> int:
    """Run a command with subcommands; return its exit code: 0, that of the error, or 128 and the number of the signal.

    Each subcommand is a module of the package with `add(commands)`, which completes its parser and sets `run` on it: a
    function of the parsed arguments that returns the exit code. The module is imported when its subcommand is called.
    """
    _fill_closed_streams()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        with ends_at_once():
            parser = _Parser(prog=name, description=description, epilog=f"{examples}\n{_EXIT_CODES}".lstrip())
            parser.add_argument("--version", action="version", version=f"{name} {__version__}")
            parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
            for command, summary in commands.items():
                parsers.add_parser(command, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
            called = next((word for word in words if not word.startswith("-")), "")  # no option before it takes a value
            if called in commands:
                importlib.import_module(f"{package}.{called.replace('-', '_')}").add(parsers)
        with interruptible(), warnings.catch_warnings():
            warnings.simplefilter("always", EdgeVoiceWarning)
            # In one line, as an error is.
            warnings.showwarning = lambda message, *_: tell(message, name)
            parsed = parser.parse_args(words)
            code: int = parsed.run(parsed)
            return code
    except EdgeVoiceError as error:
        tell(error, name)
        return error.exit_code
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _OPTIONAL:
            raise
        lacking = missing(module.replace("_", "-"))
        if not isinstance(error, ModuleNotFoundError):  # it needs a library of the system, or more memory
            lacking = MissingPackageError(f"{module} cannot be loaded ({error})")
        tell(lacking, name)
        return lacking.exit_code
    except MemoryError as error:
        tell(f"there is too little memory ({error}): free some of it, or raise its limit", name)
        return 1
    except BrokenPipeError:
        drop_output()  # the reader of the pipe has closed it
        return 0
    except OSError as error:  # of a name that is too long, say
        if error.filename is None:
            raise
        tell(f"{error.filename}: {error.strerror}", name)
        return 1
    except KeyboardInterrupt as error:
        drop_output()
        return 128 + (error.number if isinstance(error, Interrupted) else signal.SIGINT)


def _fill_closed_streams() -> None:
    """Open the null device in place of standard streams that are closed: a table would get messages of libraries."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and that suggests the option which was probably meant. Subcommands use it too."""

    _words: Sequence[str] = ()

    def __init__(self, **settings: Any) -> None:
        # What abbreviates one option today may abbreviate two tomorrow.
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse as argparse does; unknown arguments of a subcommand are reported by the subcommand, not by its parent."""
        self._words = args or []
        words = self._words if self._subparsers else self._options_first(self._words)
        namespace, unknown = super().parse_known_args(words, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(word for word in unknown if word != '--')}")
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
        show(message.removesuffix("\n"))  # argparse itself would let it pass that it cannot be written

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and exit with code 2."""
        message = message.removeprefix("argument ")
        known = list(self._option_string_actions)
        words = takewhile(lambda word: word != "--", self._words)
        unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
        if message.startswith("the following arguments are required") and unknown:
            message = f"unrecognized arguments: {unknown[0]}"  # the missing option may be there, misspelt
        _, _, wrong = message.partition("unrecognized arguments: ")
        if choice := _CHOICE.search(message):
            wrong, known = choice[1], re.findall(r"[\w-]+", choice[2])
        meant = difflib.get_close_matches(wrong.split(" ")[0].split("=")[0], known, 1, 0.7)
        tell(f"{message} ({f'did you mean {meant[0]}?' if meant else f'see {self.prog} --help'})", self.prog)
        self.exit(2)
