"""The program around the subcommands: arguments, errors, signals, exit codes.

A subcommand is a module with `add(commands)`, which adds its parser and sets `run` on it: a function of the parsed
arguments that returns the exit code. It is listed in COMMANDS, and its module loads nothing heavier than NumPy.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import edgevoice
from edgevoice.cli import bench, devices, extract, models, plot, stream
from edgevoice.cli.console import drop_full_output, drop_output, flush_output, tell
from edgevoice.cli.parser import Parser
from edgevoice.errors import EdgeVoiceError, OutputError

COMMANDS = (
    extract,
    stream,
    models,
    devices,
    bench,
    plot,
)

DONE, INTERRUPTED, TERMINATED = 0, 130, 143

_EPILOG = """\
examples:
  edgevoice extract speech.wav -o features.csv
  edgevoice extract recordings/ -o features/ --static
  ffmpeg -i film.mkv -f s16le -ac 1 -ar 16000 - | edgevoice stream - --rate 16000

exit codes:
  0 done   1 some input failed   2 wrong usage, unknown model or device   130, 143 interrupted
"""


class _Terminated(KeyboardInterrupt):
    """SIGTERM came: unwinds as Ctrl-C does, so that nothing half written stays behind."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `edgevoice`; return its exit code.

    Args:
        arguments: those after the program's name; the process's own if None.
    """
    try:
        with _terminable():
            parsed = _parser().parse_args(arguments)
            code: int = parsed.run(parsed)
            flush_output()
            return code
    except EdgeVoiceError as error:
        tell(error)
        if isinstance(error, OutputError):
            drop_full_output()
        return error.exit_code
    except BrokenPipeError:
        drop_output()  # whoever read it has enough
        return DONE
    except KeyboardInterrupt as error:
        drop_output()
        return TERMINATED if isinstance(error, _Terminated) else INTERRUPTED


def _parser() -> Parser:
    parser = Parser(
        prog="edgevoice",
        description="Learned speech features, from files and live.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"edgevoice {edgevoice.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


@contextmanager
def _terminable() -> Iterator[None]:
    """Unwind on SIGTERM too. Only the main thread may say so; anywhere else nothing changes."""

    def terminate(number: int, frame: object) -> None:  # noqa: ARG001
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
