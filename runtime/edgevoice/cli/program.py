"""What the commands `edgevoice` and `edgevoice-export` have in common: arguments, errors, signals, exit codes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence

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


def run_program(
    name: str,
    description: str,
    package: str,
    commands: Mapping[str, str],
    examples: str,
    arguments: Sequence[str] | None,
) -> int:
    """Run a command with subcommands; return its exit code: 0, that of the error, or 128 and the number of the signal.

    Each subcommand is a module of the package with `add(commands)`, which completes its parser and sets `run` on it: a
    function of the parsed arguments that returns the exit code. The module is imported when its subcommand is called.
    """
    _fill_closed_streams()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        with ends_at_once():
            parser = Parser(prog=name, description=description, epilog=f"{examples}\n{_EXIT_CODES}".lstrip())
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
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _OPTIONAL:
            raise
        lacking = missing(module.replace("_", "-"))
        tell(lacking, name)
        return lacking.exit_code
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
