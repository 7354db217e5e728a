"""The command `edgevoice-export`: one file a subcommand."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from edgevoice.cli.parser import Parser
from edgevoice.errors import (
    ArgumentError,
    AudioFileNotFoundError,
    EdgeVoiceError,
    ModelNotFoundError,
    OutputError,
    ProviderError,
)

_USAGE_ERRORS = (ArgumentError, AudioFileNotFoundError, ModelNotFoundError, ProviderError, OutputError)
_EXTRA = {"torch", "onnx", "onnxscript", "onnx_ir", "matplotlib"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; return the exit code: 0 done, 1 failed, 2 wrong usage, 130 and 143 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(arguments)
    except EdgeVoiceError as error:
        print(f"edgevoice-export: {error}", file=sys.stderr)
        return 2 if isinstance(error, _USAGE_ERRORS) else 1
    except KeyboardInterrupt:
        print("edgevoice-export: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    try:
        from edgevoice_export.cli import export, import_disvoice, pcm, train, verify
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        print(f"edgevoice-export: {error.name} is not installed: pip install 'edgevoice[cpu,export]'", file=sys.stderr)
        return 2
    parser = Parser(prog="edgevoice-export", description="Train, convert and verify EdgeVoice's models.")
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (train, export, verify, pcm, import_disvoice):
        command.add_parser(subcommands)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """Leave by way of the `finally` clauses, so that drafts are removed."""
    raise SystemExit(128 + signal.SIGTERM)
