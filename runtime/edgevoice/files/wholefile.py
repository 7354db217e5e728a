"""A file that appears when it is complete, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edgevoice.errors import ArgumentError, EdgeVoiceError, OutputError
from edgevoice.files.draft import Draft


@contextmanager
def whole_file(path: str | os.PathLike[str], replace: bool = True) -> Iterator[IO[bytes]]:
    """A binary file that gets its name when the block ends without an error, and is removed otherwise.

    Until then it is a `Draft`. An existing file is replaced at the end, if that is allowed. Missing folders are
    made, and removed again with the draft.

    Raises:
        OutputError: it cannot be made, written or renamed, or a file is there that may not be replaced.
    """
    with writing(str(path)):
        draft = Draft(path)
        try:
            with draft.path.open("wb") as file:
                yield file
            draft.keep(replace)
        finally:
            draft.drop()


def refuse_existing(path: str | os.PathLike[str]) -> None:
    """Raise ArgumentError where a file exists at this path. Devices and pipes are no obstacle: they are written to."""
    if Path(path).is_file():
        raise ArgumentError(f"{path}: already exists; choose another name, or replace it with --force")


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Raise OutputError, with this name, for every OSError in the block except that of a closed pipe."""
    try:
        yield
    except (EdgeVoiceError, BrokenPipeError):
        raise
    except OSError as error:
        raise OutputError(f"{name}: cannot be written ({error.strerror or error})") from error
