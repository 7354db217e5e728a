"""A folder that appears when it is complete, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edgevoice.files.madefolders import MadeFolders
from edgevoice.files.renaming import rename_over
from edgevoice.files.wholefile import writing


@contextmanager
def whole_folder(place: Path, *, replace: bool) -> Iterator[Path]:
    """A folder under a temporary name, renamed when the block ends without an error, and removed otherwise.

    Missing folders above it are made, and removed again with the draft.

    Args:
        place: where the folder is to be.
        replace: whether a folder that exists at the end is replaced; if not, it stays, and the draft is removed, because
            another process has written the same.

    Raises:
        OutputError: it cannot be made, written or renamed.
    """
    with writing(str(place)), ExitStack() as stack:
        stack.callback(MadeFolders(place.parent).remove)  # nothing, once something is in them
        draft = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        stack.callback(shutil.rmtree, draft, ignore_errors=True)
        yield draft
        draft.chmod(0o755)  # mkdtemp lets only its owner read it
        if replace:
            _replace(place, draft)
        else:
            _settle(place, draft)


def _settle(place: Path, draft: Path) -> None:
    try:
        rename_over(draft, place)
    except OSError:
        if not place.is_dir():
            raise


def _replace(place: Path, draft: Path) -> None:
    """Rename a draft to its final place; a folder at that place is removed only after that."""
    if not place.exists():
        rename_over(draft, place)
        return
    old = draft.with_name(f"{draft.name}-old")
    rename_over(place, old)
    try:
        rename_over(draft, place)
    except BaseException:
        rename_over(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)
