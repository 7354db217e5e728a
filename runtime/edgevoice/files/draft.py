"""A file under a temporary name, until it is complete."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from edgevoice.errors import OutputError
from edgevoice.files.madefolders import MadeFolders
from edgevoice.files.renaming import rename_over


class Draft:
    """An empty file beside its final place. It is written at its `path`, then kept or dropped.

    Until then its name is `.NAME.XXXXXXXX.part`. Missing folders are made. A device or a named pipe is its own draft.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if Path(path).is_dir():
            raise OutputError(f"{path}: is a folder, expected a file")
        self._folders: MadeFolders | None = None
        self.path: Path
        """The path to write to."""
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

    def keep(self, replace: bool = True) -> None:
        """Rename the draft to its final place; an existing file is replaced if that is allowed.

        Raises:
            OutputError: something is there that may not be replaced, even if it came there a moment ago.
            OSError: it cannot be renamed; it is still where it was.
        """
        if self._folders is None:
            return
        if replace:
            rename_over(self.path, self._place)
        else:
            self._settle()
        self._folders = None

    def _settle(self) -> None:
        try:
            os.link(self.path, self._place)
        except FileExistsError:
            raise OutputError(f"{self._place}: already exists") from None
        except OSError:  # a file system that has no links
            if self._place.exists():
                raise OutputError(f"{self._place}: already exists") from None
            rename_over(self.path, self._place)
        else:
            self.path.unlink()

    def drop(self) -> None:
        """Remove the draft, and the empty folders that were made for it. Nothing happens once it is kept."""
        if self._folders is not None:
            self.path.unlink(missing_ok=True)
            self._folders.remove()
            self._folders = None
