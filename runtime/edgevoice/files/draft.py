"""A file on its way to its place."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from edgevoice.errors import OutputError
from edgevoice.files.madefolders import MadeFolders
from edgevoice.files.renaming import rename_over


class Draft:
    """An empty file beside its place, to be written by its `path`, then kept or dropped.

    It lies there as `.NAME.XXXXXXXX.part`. Missing folders are made. A device or a named pipe is its own draft.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: str | os.PathLike[str], replace: bool = True) -> None:
        """Make it; with `replace` false, what is at its place by the end stays, and keeping the draft is an error."""
        self._replace = replace
        if Path(path).is_dir():
            raise OutputError(f"{path}: is a folder, expected a file")
        self._folders: MadeFolders | None = None
        self.path: Path
        """Where to write."""
        if Path(path).exists() and not Path(path).is_file():
            self.path = Path(path)
            return
        self._place = Path(path).resolve()  # a link stays one
        self._folders = MadeFolders(self._place.parent)
        self.path = self._place.with_name(f".{self._place.name}.{secrets.token_hex(4)}.part")
        try:
            self.path.touch(exist_ok=False)
        except BaseException:
            self.drop()
            raise

    def keep(self) -> None:
        """Put it in its place.

        Raises:
            OSError: it cannot be renamed; it is still where it was. FileExistsError: something is there that is to stay.
        """
        if self._folders is not None:
            if self._replace:
                rename_over(self.path, self._place)
            else:
                _settle(self.path, self._place)
            self._folders = None

    def drop(self) -> None:
        """Remove it, and the folders made for it that are empty; nothing once it is kept."""
        if self._folders is not None:
            self.path.unlink(missing_ok=True)
            self._folders.remove()
            self._folders = None


def _settle(draft: Path, place: Path) -> None:
    """Rename a file unless something is at its new place, even if that came there a moment ago."""
    try:
        os.link(draft, place)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if place.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place)) from None
        rename_over(draft, place)
    else:
        draft.unlink()
