"""A folder of Parquet parts that is one table: several processes can make it together, and the same command resumes it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.index import Index, Row
from edgevoice.corpus.rows import Columns, TableRows, joined
from edgevoice.corpus.run import Result, failure_row, results
from edgevoice.errors import ArgumentError, OutputError
from edgevoice.files import whole_file, writing
from edgevoice.recipe import Reading, Recipe
from edgevoice.tables.parquetfile import FAILED, RECIPE, ParquetTable, read_parquet

if TYPE_CHECKING:
    from edgevoice.extractor import Extractor

_MODULUS = 128
"""A part ends after a row whose hash is 0 modulo this number, so that adding or removing a file changes one part only."""
_MOST = 512  # rows in a part
_NAME = re.compile(r"part-([0-9a-f]{8})[0-9a-f]{24}\.parquet")
_LEFTOVER = re.compile(r"\.?(part|_begun)-.*\.part")  # of a run that was interrupted or killed
_ROWS = "edgevoice.rows"  # key of a part's metadata
_PIECE = 4096
"""Bytes at the beginning, in the middle and at the end of a file that tell its content from another."""

T = TypeVar("T")
RowCallback = Callable[[Row, int, bool], object]
"""Called with a row, the number of its frames, and whether it failed."""


class Part(NamedTuple):
    """Rows that are stored in one file."""

    name: str
    rows: tuple[Row, ...]

    @property
    def begun(self) -> str:
        """Beginning of the names of files with some of its rows."""
        return f"_begun-{self.name.removeprefix('part-').removesuffix('.parquet')}-"


class Done(NamedTuple):
    """What a part notes of a row: a hash of it, seconds of audio, and how many frames; None for a row that failed."""

    identity: str
    seconds: float
    frames: int | None


class Outcome(NamedTuple):
    """The result of a run: how many parts it made, which of their rows failed, and which parts it removed."""

    made: int
    failed: list[dict[str, Any]]
    removed: list[str]
    complete: bool
    """Whether all parts of the index exist."""


class Dataset:
    """The parts of an index in a folder.

    The name of a part is a hash of its rows, of the content of each file, and of the settings that decide the numbers. A
    part that exists is complete, whichever process made it: a process looks for a part again before it makes it, and
    renames it when it is complete. The same command therefore resumes after an interruption, and several processes can
    share the work. What a part has when a run is interrupted is kept in a file of its own, for whoever makes it next.

    Raises:
        ArgumentError: the folder holds parts of another recipe, a Parquet file that is no part, or parts with rows that are
            not in the index: with `prune` these are removed, once all of the index are there.
        OutputError: it cannot be listed.
    """

    def __init__(
        self, folder: str | os.PathLike[str], recipe: Recipe, index: Index, columns: Columns, prune: bool = False
    ) -> None:
        self.folder = Path(folder)
        self.recipe, self.columns = recipe, columns
        self.parts = _cut(index, recipe, columns)
        """All parts of the index, in its order."""
        self._there = self._listed()
        self._replaced = self._others(index, prune)

    def missing(self, shard: tuple[int, int] | None = None, retry: bool = False) -> list[Part]:
        """The parts that have to be made, in order: of a shard (I, N) its share, with `retry` those with failed rows."""
        self._there = self._listed()
        parts = self.parts if shard is None else self.parts[shard[0] - 1 :: shard[1]]
        return [part for part in parts if part.name not in self._there or (retry and self.failed_rows([part]))]

    def left(self, parts: Sequence[Part]) -> list[Row]:
        """The rows of parts, without those that an interrupted run has done."""
        return [row for part in parts for row in part.rows[self._begun(part)[1] :]]

    def failed_rows(self, parts: Iterable[Part] | None = None) -> list[dict[str, Any]]:
        """The rows that failed in existing parts: `file`, `start`, `end`, `channel`, `reason`, and the user's columns."""
        found: list[dict[str, Any]] = []
        for part in self.parts if parts is None else parts:
            if part.name in self._there and _mentions(self.folder / part.name, FAILED):
                found += _noted(self.folder / part.name, FAILED, dict)
        return found

    def read(self) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """The numbers and the other columns of all parts, in the order of the index."""
        contents = [read_parquet(self.folder / part.name) for part in self.parts]
        values = np.concatenate([joined([], self.columns)[0], *(content.values for content in contents)])
        names = self.columns.kinds
        return values, {name: [cell for content in contents for cell in content.columns[name]] for name in names}

    def run(
        self,
        parts: Sequence[Part],
        extractor: Extractor,
        reading: Reading,
        jobs: int,
        begin: Callable[[float | None], object] = lambda _: None,
        progress: Callable[[float], object] = lambda _: None,
        done: RowCallback = lambda _, __, ___: None,
    ) -> Outcome:
        """Make parts in this process; remove those that the index no longer has once all of its own are there.

        `parts` are those to make, from `missing`; `done` is called with every row; the rest is as in `corpus.run.results`.
        """
        if not parts:
            return self.tidy(parts)
        with writing(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
        again = {part.name for part in parts if part.name in self._there}
        # Two processes that run the same command begin at different places, so that both have something to do.
        first = secrets.randbelow(len(parts))
        begun: deque[tuple[Part, Path | None, int]] = deque()

        def groups() -> Iterator[Sequence[Row]]:
            for part in (*parts[first:], *parts[:first]):
                if part.name in again or not (self.folder / part.name).exists():
                    begun.append((part, *self._begun(part)))
                    yield part.rows[begun[-1][2] :]

        waiting: list[Result] = []
        made = 0
        try:
            with closing(results(extractor, groups(), reading, jobs, begin, progress)) as found:
                for result in found:
                    part, there, count = begun[0]
                    waiting.append(result)
                    done(result.row, result.frames, result.error is not None)
                    if count + len(waiting) == len(part.rows):
                        self._write(part, waiting, there, count)
                        made += 1
                        waiting = []
                        begun.popleft()
        except BaseException as error:
            if waiting and not isinstance(error, OutputError):
                with suppress(Exception):  # what ended the run is raised
                    self._write(begun[0][0], waiting, *begun[0][1:])
            raise
        return self.tidy(parts, made)

    def tidy(self, parts: Sequence[Part], made: int = 0) -> Outcome:
        """What has come of parts, of which so many were made. Where all of the index exist, what is not needed goes."""
        there = self._there = self._listed()
        complete = {part.name for part in self.parts} <= there
        removed = sorted(self._replaced & there) if complete else []
        left = [path.name for path in self._left] if complete and self.parts else []
        for name in (*removed, *left):
            with writing(str(self.folder)):
                (self.folder / name).unlink(missing_ok=True)
        return Outcome(made, self.failed_rows(parts), removed, complete)

    def _others(self, index: Index, prune: bool) -> set[str]:
        """Names of existing parts that are not of this index, and may be removed when all of its own are there."""
        others = self._there - {part.name for part in self.parts}
        if others and not index.rows:
            raise ArgumentError(f"{self.folder}: holds {len(others)} parts, and the index has no rows: nothing is removed")
        known = {_identity(row) for row in index.rows} if others else set()
        unknown = [len(({str(row.identity) for row in done_rows(self.folder / name)} or {""}) - known) for name in others]
        if any(unknown) and not prune:
            raise ArgumentError(
                f"{self.folder}: {sum(unknown)} rows in {sum(map(bool, unknown))} of its parts are not in the index: choose "
                "another folder, use the whole index, or have these parts removed by `edgevoice extract --prune` (in Python "
                "table(prune=True))"
            )
        return others

    def _write(self, part: Part, results: Sequence[Result], begun: Path | None, count: int) -> None:
        """Write a part, or what there is of it."""
        whole = count + len(results) == len(part.rows)
        path = self.folder / (part.name if whole else f"{part.begun}{secrets.token_hex(4)}.part")
        write_part(path, results, self.columns, self.recipe, begun)
        for left in self._left:
            if left.name.startswith(part.begun) and (whole or left == begun):
                left.unlink(missing_ok=True)

    def _begun(self, part: Part) -> tuple[Path | None, int]:
        """The file with the most rows of a part that an interrupted run has done, and their number."""
        best: tuple[Path | None, int] = None, 0
        for path in self._left:
            with suppress(OutputError):
                count = len(done_rows(path)) if path.name.startswith(part.begun) else 0
                if best[1] < count < len(part.rows):
                    best = path, count
        return best

    def _listed(self) -> set[str]:
        """Names of the existing parts. What interrupted runs have left is noted too."""
        self._left: list[Path] = []
        try:
            paths = list(self.folder.iterdir())
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be listed ({error.strerror or error})") from error
        self._left = [path for path in paths if _LEFTOVER.fullmatch(path.name)]
        names = {path.name for path in paths if path.suffix == ".parquet" and path.name[0] != "."}
        mine = self.recipe.digest()[:8]
        for name in sorted(names):
            match = _NAME.fullmatch(name)
            if not match:
                raise ArgumentError(f"{self.folder}: holds {name}, which is not part of a dataset: choose another folder")
            if match[1] != mine:
                difference = "which cannot be read"
                with suppress(KeyError, ArgumentError):
                    other = Recipe.from_json(_metadata(self.folder / name)[RECIPE.encode()])
                    difference = ", ".join(self.recipe.differences(other)) or "of another version"
                raise ArgumentError(
                    f"{self.folder}: holds a dataset of another recipe ({difference}): choose another folder"
                )
        return names


def done_rows(path: Path) -> list[Done]:
    """What a part, whole or begun, notes of its rows."""
    return _noted(path, _ROWS, Done._make)


def _noted(path: Path, key: str, kind: Callable[[Any], T]) -> list[T]:
    """A list in the metadata of a part; empty where there is none."""
    try:
        return list(map(kind, json.loads(_metadata(path).get(key.encode(), b"[]"))))
    except (ValueError, TypeError, RecursionError) as error:
        raise OutputError(f"{path}: its metadata cannot be read ({error}): remove it") from error


def _metadata(path: Path) -> dict[bytes, bytes]:
    from pyarrow import ArrowException, parquet

    try:
        return dict(parquet.read_metadata(path).metadata or {})
    except (ArrowException, OSError) as error:
        raise OutputError(f"{path}: is not a Parquet file ({error}): remove it, and run the command again") from error


def write_part(path: Path, found: Sequence[Result], columns: Columns, recipe: Recipe, begun: Path | None = None) -> None:
    """Write the results of a part's rows as a complete file; `begun` is one with the first rows, `found` has the others."""
    failures = [failure_row(result.row, result.error, dict(columns.others)) for result in found if result.error]
    done = [Done(_identity(one.row), one.seconds, None if one.error else one.frames) for one in found]
    try:
        with whole_file(path) as file, ParquetTable(file, columns, recipe) as table:
            if begun is not None:
                table.append(begun)
                failures, done = [*_noted(begun, FAILED, dict), *failures], [*done_rows(begun), *done]
            for result in found:
                for row, features in result.parts:
                    table.write(TableRows(row, features, columns))
            if failures:
                table.note(FAILED, failures)
            table.note(_ROWS, done)
    except OutputError as error:
        # The run that completed the dataset has removed the drafts that others were still writing.
        if not (isinstance(error.__cause__, FileNotFoundError) and path.exists()):
            raise


def _cut(index: Index, recipe: Recipe, columns: Columns) -> list[Part]:
    """Group consecutive rows into parts."""
    parts: list[Part] = []
    seen: Counter[str] = Counter()
    mark, content = recipe.digest()[:8], lru_cache(maxsize=1 << 10)(_content)
    head = json.dumps([recipe.deciding(), [name for name, _ in columns.head]], sort_keys=True)
    rows: list[Row] = []
    digests: list[str] = []
    names = dict(index.columns)
    for number, row in enumerate(index.rows, 1):
        rows.append(row)
        digests.append(_identity(row, dict(zip(names, row.others, strict=True))))
        if int(digests[-1], 16) % _MODULUS == 0 or len(rows) == _MOST or number == len(index.rows):
            files = [content(row.path) for row in rows]
            key = hashlib.sha256(json.dumps([head, digests, files]).encode()).hexdigest()
            seen[key] += 1  # an index may list the same rows twice
            name = hashlib.sha256(f"{key} {seen[key]}".encode()).hexdigest()[:24]
            parts.append(Part(f"part-{mark}{name}.parquet", tuple(rows)))
            rows, digests = [], []
    return parts


def _identity(row: Row, others: dict[str, Any] | None = None) -> str:
    """A hash of a row, without the user's columns if they are not given."""
    content = json.dumps([row.file, row.start, row.end, row.channel, others], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _content(path: str) -> tuple[int, str] | None:
    """Size of a file and a digest of some of its bytes, the same wherever it lies; None where it cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            return None
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            size = file.seek(0, os.SEEK_END)
            digest = hashlib.sha256()
            for at in sorted({0, max(0, (size - _PIECE) // 2), max(0, size - _PIECE)}):
                file.seek(at)
                digest.update(file.read(_PIECE))
    except (OSError, ValueError):
        return None
    return size, digest.hexdigest()[:32]


def _mentions(path: Path, key: str) -> bool:
    """Whether a Parquet file has this key in its metadata, without parsing the description of 1543 columns."""
    try:
        with path.open("rb") as file:
            file.seek(-8, os.SEEK_END)
            size = int.from_bytes(file.read(4), "little")
            is_whole = file.read() == b"PAR1"
            file.seek(-8 - size, os.SEEK_END)
            return not is_whole or key.encode() in file.read(size)
    except OSError:
        return True  # reading it will say what is wrong
