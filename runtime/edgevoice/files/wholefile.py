"""A file that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edgevoice.errors import EdgeVoiceError, OutputError
from edgevoice.files.draft import Draft

_EXISTS = "{}: is there already, and is not replaced: name another file, or say --force"


@contextmanager
def whole_file(path: str | os.PathLike[str], replace: bool = True) -> Iterator[IO[bytes]]:
    """A binary file to write to, which takes its name when the block ends well and is removed when it does not.

    Until then it is a `Draft`. Missing folders are made, and removed again with the draft.

    Args:
        path: its name.
        replace: whether it takes the place of a file that is there by the end.

    Raises:
        OutputError: it cannot be made, written or renamed, or something is there that is not to be replaced.
    """
    if not replace:
        refuse_existing(path)
    with writing(str(path)):
        draft = Draft(path, replace)
        try:
            with draft.path.open("wb") as file:
                yield file
            draft.keep()
        finally:
            draft.drop()


def refuse_existing(path: str | os.PathLike[str]) -> None:
    """Raise OutputError where a file is at this place. Devices and pipes are not replaced: they are written to."""
    if Path(path).is_file():
        raise OutputError(_EXISTS.format(path))


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Make an OutputError that carries the name of every OSError in the block, except that of a closed pipe."""
    try:
        yield
    except (EdgeVoiceError, BrokenPipeError):
        raise
    except FileExistsError as error:
        raise OutputError(_EXISTS.format(name)) from error
    except OSError as error:
        raise OutputError(f"{name}: cannot be written ({error.strerror or error})") from error
