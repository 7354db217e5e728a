"""The command `edgevoice`: one file a subcommand."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code. Imports happen here, so that Ctrl-C is quiet from the first moment on."""
    try:
        from edgevoice.cli import program

        return program.main(arguments)
    except KeyboardInterrupt:
        return 130
