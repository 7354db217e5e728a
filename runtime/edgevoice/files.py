"""Files and folders that appear complete or not at all: drafts, which are renamed when they are complete."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from edgevoice.errors import ArgumentError, EdgeVoiceError, OutputError

WINDOWS = os.name == "nt"
_PATIENCE = 2.0
"""How long another program may keep a file open, in seconds. Virus scanners and indexers open new files briefly."""
_PAUSE = 0.05
_LONG = 128
"""Bytes up to which a draft's name has the whole name of its file. File systems allow 255 bytes, a few of them 143."""

PathLike = str | os.PathLike[str]


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Raise OutputError, with this name, for every OSError in the block except that of a closed pipe."""
    try:
        yield
    except (EdgeVoiceError, BrokenPipeError):
        raise
    except OSError as error:
        raise OutputError(f"{name}: cannot be written ({error.strerror or error})") from error
    except UnicodeEncodeError as error:
        raise OutputError(f"{name!a}: cannot be written (the system's file names are {error.encoding})") from error


@contextmanager
def whole_file(path: PathLike, replace: bool = True) -> Iterator[IO[bytes]]:
    """A binary file that gets its name when the block ends without an error, and is removed otherwise.

    Until then it is a `Draft`. An existing file is replaced at the end, if that is allowed. Missing folders are
    made, and removed again with the draft.

    Raises:
        OutputError: it cannot be made, written or renamed, or a file is there that may not be replaced.
    """
    with whole_files({Path(path): replace}) as (file,):
        yield file


@contextmanager
def whole_files(places: Mapping[Path, bool]) -> Iterator[Sequence[IO[bytes]]]:
    """Files as `whole_file`, each with whether it may replace another, which appear in this order, all or none."""
    with writing(str([*places][-1])), ExitStack() as stack:
        drafts, files = [], []
        for path in places:
            drafts.append(Draft(path))
            stack.callback(drafts[-1].drop)
            files.append(stack.enter_context(drafts[-1].path.open("wb")))
        yield files
        for file in files:
            file.close()  # here at the latest a full disk is noticed
        try:
            for draft, replace in zip(drafts, places.values(), strict=True):
                draft.keep(replace)
        except BaseException:
            for draft in drafts:
                draft.withdraw()
            raise


class Draft:
    """An empty file beside its final place. It is written at its `path`, then kept or dropped.

    Until then its name is `.NAME.XXXXXXXX.part`, with a long NAME cut. Missing folders are made. A device or a pipe is its
    own draft.
    """

    def __init__(self, path: PathLike) -> None:
        self._old: Path | None = None
        self._kept = False
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - an error too where the name is too long
        except FileNotFoundError:
            mode = stat.S_IFREG
        if stat.S_ISDIR(mode):
            raise OutputError(f"{path}: is a folder, expected a file")
        self._own = stat.S_ISREG(mode)
        # A link stays one. The pipe that /dev/stdout leads to has no other name.
        self._place = Path(os.path.realpath(path) if self._own else path)
        self.path = _beside(self._place, "part") if self._own else self._place
        """The path to write to."""
        self._folders = _make_folders(self._place.parent)
        try:
            if self._own:
                self.path.touch(exist_ok=False)
        except BaseException:
            self.drop()
            raise

    def keep(self, replace: bool = True) -> None:
        """Rename the draft to its final place; an existing file is replaced if that is allowed.

        Raises:
            OutputError: something is there that may not be replaced, even if it came there a moment ago.
        """
        if not self._own:
            return
        there = self._place.exists()
        if replace:
            self._old = _beside(self._place, "old") if there else None
            with suppress(OSError):  # a file system that has no links
                if self._old:
                    shutil.copymode(self._place, self.path)  # what others may not read stays so
                    os.link(self._place, self._old)
            rename_over(self.path, self._place)
        else:
            try:
                os.link(self.path, self._place)  # not over another, as renaming does
                self.path.unlink()
            except OSError as error:
                if there or isinstance(error, FileExistsError):
                    raise OutputError(f"{self._place}: already exists") from None
                rename_over(self.path, self._place)
        self._kept = True

    def withdraw(self) -> None:
        """Undo `keep`: the file is removed, and what it replaced comes back, where the file system has links."""
        if self._kept and self._old is None:
            self._place.unlink()
        elif self._kept and self._old is not None:
            with suppress(FileNotFoundError):
                rename_over(self._old, self._place)

    def drop(self) -> None:
        """Remove the draft and the empty folders that were made for it, unless it was kept."""
        if self._old is not None:
            self._old.unlink(missing_ok=True)
        if self._own and not self._kept:
            self.path.unlink(missing_ok=True)
        _remove_empty(self._folders)


@contextmanager
def whole_folder(place: Path, *, replace: bool) -> Iterator[Path]:
    """A folder under a temporary name, renamed when the block ends without an error, and removed otherwise.

    One that exists at the end is replaced, or stays without `replace`: another process has written the same. Errors are
    those of `whole_file`.
    """
    with writing(str(place)), ExitStack() as stack:
        stack.callback(_remove_empty, _make_folders(place.parent))
        draft, old = _beside(place, "part"), _beside(place, "old")
        draft.mkdir()
        stack.callback(shutil.rmtree, draft, ignore_errors=True)
        yield draft
        if replace and place.exists():
            rename_over(place, old)  # it is removed only when the other is in its place
        try:
            rename_over(draft, place)
        except BaseException as error:
            if old.exists():
                rename_over(old, place)
            if replace or not isinstance(error, OSError) or not place.is_dir():
                raise
        shutil.rmtree(old, ignore_errors=True)


def rename_over(draft: Path, place: Path) -> None:
    """Rename a file over another, or a folder to a new name. On Windows a scanner may hold it: it is tried for 2 s there."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            draft.replace(place)
            return
        except PermissionError as error:
            if not WINDOWS:
                raise
            if time.monotonic() >= deadline:
                reason = "no rights to write there, or another program has it open"
                raise PermissionError(errno.EACCES, reason, str(place)) from error
            time.sleep(_PAUSE)


def unicode_text(text: str) -> str:
    """Replace bytes that are not Unicode by a backslash, an x and their digits: Parquet and pandas take Unicode only."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def refuse_existing(path: PathLike) -> None:
    """Raise ArgumentError where a file exists at this path. Devices and pipes are no obstacle: they are written to."""
    if os.path.isfile(path):  # noqa: PTH113 - False for a name that is too long
        raise ArgumentError(f"{path}: already exists; choose another name, or replace it with --force")


def check_outputs(outputs: Iterable[PathLike | None], inputs: Iterable[PathLike | None] = ()) -> None:
    """Raise an ArgumentError where two files that a command writes are one, or one that it reads; None is passed over.

    Links, case and Unicode forms are seen through: on most disks of Windows and macOS, names that differ in case only are
    one file. Devices, pipes and folders are no obstacle.
    """
    seen: dict[object, PathLike] = {}
    for path in (path for path in outputs if path is not None):
        key = _identity(path)
        if key in seen:
            raise ArgumentError(f"{path} would be written twice, also as {seen[key]}: choose another name")
        if key is not None:
            seen[key] = path
    there = any(isinstance(key, tuple) for key in seen)  # otherwise no input is one of them
    for path in (path for path in inputs if there and path is not None):
        if (key := _identity(path)) in seen:
            raise ArgumentError(f"{seen[key]} is also an input ({path}): choose another name")


def _identity(path: PathLike) -> object:
    """What two spellings of a file have in common: device and inode, or text where there is none; None for a device."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        with suppress(OSError, ValueError):  # the current folder was deleted; no file of this system has such a name
            path = os.path.realpath(path)
        return unicodedata.normalize("NFC", os.fspath(path)).casefold()
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _beside(place: Path, suffix: str) -> Path:
    """A new hidden name in the same folder, no longer than the place's own where that is long."""
    name, end = place.name, f".{secrets.token_hex(4)}.{suffix}"
    room = max(_LONG, len(os.fsencode(name))) - len(end) - 1
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return place.with_name(f".{name}{end}")


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder, and those above it; return those that were missing, the lowest first."""
    missing = [part for part in (folder, *folder.parents) if not part.is_dir()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except BaseException:
        _remove_empty(missing)
        raise
    return missing


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
