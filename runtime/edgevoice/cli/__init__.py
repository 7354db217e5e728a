"""The command `edgevoice`: one file a subcommand."""

from __future__ import annotations

TYPE_CHECKING = False  # replaces typing's: what this module imports is loaded before Ctrl-C can be handled
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

COMMANDS = {
    "extract": "compute features of audio files and folders",
    "repeat": "make a table again, and compare",
    "fit": "learn from labelled recordings what frames mean",
    "decide": "say what a fitted head hears in recordings",
    "compare": "compare what models and levels are worth on your labels",
    "stream": "write frames as JSON Lines while audio comes in",
    "models": "list the models that can be loaded by name",
    "devices": "list the input devices",
    "bench": "measure latency and throughput on this machine",
    "plot": "draw a recording and its features, or compare several",
    "map": "draw the rows of a table as points: similar rows are near each other",
}
"""Every subcommand, each the module of its name, and what it does."""

_EXAMPLES = """\
examples:
  edgevoice extract speech.wav -o features.csv
  edgevoice extract recordings/ -o features/ --static
  ffmpeg -i film.mkv -f s16le -ac 1 -ar 16000 - | edgevoice stream - --rate 16000
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: see `edgevoice --help`."""
    return run("edgevoice", "Learned speech features, from files and live.", __name__, COMMANDS, _EXAMPLES, arguments)


def run(*program: Any, **options: Any) -> int:
    """Run `program.run_program`; Ctrl-C ends it quietly from the first moment on."""
    try:
        from edgevoice.cli.signals import ends_at_once

        with ends_at_once():
            from edgevoice.cli.program import run_program

        return run_program(*program, **options)
    except KeyboardInterrupt:
        return 130
