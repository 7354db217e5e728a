"""A file that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edgevoice.errors import EdgeVoiceError, OutputError


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file to write to, which takes its name when the block ends well and is removed when it does not.

    Until then it lies beside its place, as `.NAME.XXXXXXXX.part`. A file that is there already is replaced at the end.
    Missing folders are made.

    Raises:
        OutputError: it cannot be made, written or renamed.
    """
    place = Path(path).resolve()
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
    with writing(str(path)):
        if place.is_dir():
            raise OutputError(f"{path}: is a folder, expected a file")
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                yield file
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Make an OutputError that carries the name of every OSError in the block but that of a closed pipe."""
    try:
        yield
    except (EdgeVoiceError, BrokenPipeError):
        raise
    except OSError as error:
        raise OutputError(f"{name}: cannot be written ({error.strerror or error})") from error
