"""What the commands `edgevoice` and `edgevoice-export` have in common: arguments, errors, signals, exit codes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from edgevoice import __version__
from edgevoice.cli.console import drop_output, tell
from edgevoice.cli.parser import Parser
from edgevoice.cli.signals import Interrupted, ends_at_once, interruptible
from edgevoice.errors import EdgeVoiceError, EdgeVoiceWarning, missing

_EXIT_CODES = """\
exit codes:
  0 done   1 some input failed   2 wrong usage, unknown model or device   130, 143, 129 interrupted
"""

_OPTIONAL = ("av", "torch", "onnx", "onnxscript", "onnx_ir", "matplotlib", "pandas", "pyarrow")
"""Modules that not all installations have."""


@dataclass(frozen=True)
class Program:
    """A command with subcommands.

    Each is a module with `add(commands)`, which completes its parser and sets `run` on it: a function of the parsed
    arguments that returns the exit code. The module is imported when its subcommand is called.
    """

    name: str
    description: str
    package: str
    """The package that holds the modules."""
    commands: Mapping[str, str]
    """Name and summary of every subcommand."""
    examples: str = ""

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """Run a subcommand; return its exit code: 0, that of the error, or 128 and the number of the signal that came.

        Args:
            arguments: those after the program's name; the process's own if None.
        """
        _fill_closed_streams()
        try:
            return self._run(sys.argv[1:] if arguments is None else arguments)
        except EdgeVoiceError as error:
            tell(error, self.name)
            return error.exit_code
        except BrokenPipeError:
            drop_output()  # the reader of the pipe has closed it
            return 0
        except OSError as error:  # of a name that is too long, say
            if error.filename is None:
                raise
            tell(f"{error.filename}: {error.strerror}", self.name)
            return 1
        except KeyboardInterrupt as error:
            drop_output()
            return 128 + (error.number if isinstance(error, Interrupted) else signal.SIGINT)

    def _run(self, words: Sequence[str]) -> int:
        try:
            with ends_at_once():
                parser = self._parser(words)
            with interruptible(), self._warnings():
                parsed = parser.parse_args(words)
                code: int = parsed.run(parsed)
                return code
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in _OPTIONAL:
                raise
            raise missing(package.replace("_", "-")) from error

    @contextmanager
    def _warnings(self) -> Iterator[None]:
        """Inside this context, a warning is printed in one line, as an error is."""

        def show(message: Warning | str, *_: object) -> None:
            tell(message, self.name)

        with warnings.catch_warnings():
            warnings.simplefilter("always", EdgeVoiceWarning)
            warnings.showwarning = show  # type: ignore[assignment]
            yield

    def _parser(self, words: Sequence[str]) -> Parser:
        epilog = f"{self.examples}\n{_EXIT_CODES}".lstrip()
        parser = Parser(prog=self.name, description=self.description, epilog=epilog)
        parser.add_argument("--version", action="version", version=f"{self.name} {__version__}")
        commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
        for name, summary in self.commands.items():
            commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        called = next((word for word in words if not word.startswith("-")), "")  # no option before it takes a value
        if called in self.commands:
            importlib.import_module(f"{self.package}.{called.replace('-', '_')}").add(commands)
        return parser


def _fill_closed_streams() -> None:
    """Open the null device in place of standard streams that are closed: a table would get messages of libraries."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
