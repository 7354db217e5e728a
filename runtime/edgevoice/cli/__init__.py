"""The command `edgevoice`: one file a subcommand."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's: what stands here is imported before anything can be done about Ctrl-C
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: see `edgevoice --help`. Ctrl-C ends it quietly from the first moment on."""
    try:
        from edgevoice.cli.interrupt import ends_at_once

        with ends_at_once():
            from edgevoice.cli import program

        return program.main(arguments)
    except KeyboardInterrupt:
        return 130
