"""The command `edgevoice`: one file a subcommand."""

from edgevoice.cli.program import main

__all__ = ["main"]
