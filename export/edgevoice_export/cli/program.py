"""The program around the subcommands: arguments, errors, signals, exit codes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from edgevoice import __version__
from edgevoice.cli.console import drop_full_output, drop_output, flush_output, one_line
from edgevoice.cli.interrupt import ends_at_once
from edgevoice.cli.parser import Parser
from edgevoice.errors import EdgeVoiceError, OutputError

_EXTRA = {"torch", "onnx", "onnxscript", "onnx_ir", "matplotlib"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; return the exit code: 0 done, 1 failed, 2 wrong usage, 130 and 143 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(arguments)
    except EdgeVoiceError as error:
        _tell(error)
        if isinstance(error, OutputError):
            drop_full_output()
        return error.exit_code
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130
    except BrokenPipeError:
        drop_output()  # whoever read it has enough
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    try:
        with ends_at_once():
            from edgevoice_export.cli import compact, export, import_disvoice, pcm, retrain, train, verify
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        _tell(f"{error.name} is not installed: pip install 'edgevoice[cpu,export]'")
        return 2
    parser = Parser(prog="edgevoice-export", description="Train, convert and verify EdgeVoice's models.")
    parser.add_argument("--version", action="version", version=f"edgevoice-export {__version__}")
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (train, retrain, export, verify, compact, pcm, import_disvoice):
        command.add_parser(subcommands)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    flush_output()
    return code


def _tell(message: object) -> None:
    print("edgevoice-export:", one_line(message), file=sys.stderr)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """Leave by way of the `finally` clauses, so that drafts are removed."""
    raise SystemExit(128 + signal.SIGTERM)
