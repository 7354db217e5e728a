"""A file that appears whole or not at all."""

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
    """A binary file to write to, which takes its name when the block ends well and is removed when it does not.

    Until then it is a `Draft`. A file that is there already is replaced at the end, if that is allowed. Missing folders are
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
    """Raise ArgumentError where a file is at this place. Devices and pipes are not replaced: they are written to."""
    if Path(path).is_file():
        raise ArgumentError(f"{path}: is there already; name another, or replace it by --force")


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Make an OutputError that carries the name of every OSError in the block, except that of a closed pipe."""
    try:
        yield
    except (EdgeVoiceError, BrokenPipeError):
        raise
    except OSError as error:
        raise OutputError(f"{name}: cannot be written ({error.strerror or error})") from error
