"""A folder of Parquet parts that is one table: several processes can make it together, and the same command resumes it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgevoice.corpus.index import Index, Row
from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.corpus.run import Failure, Reading, Result, results
from edgevoice.corpus.table import failure_row
from edgevoice.errors import ArgumentError, OutputError
from edgevoice.files import writing
from edgevoice.recipe import Recipe
from edgevoice.tables.parquetfile import FAILED, RECIPE
from edgevoice.tables.table import open_table

if TYPE_CHECKING:
    from edgevoice.extractor import Extractor

_MODULUS = 128
"""A part ends after a row whose hash is 0 modulo this number, so that adding or removing a file changes one part only."""
_MOST = 512
"""Largest number of rows in a part."""
_NAME = re.compile(r"part-([0-9a-f]{8})[0-9a-f]{24}\.parquet")
_DRAFT = re.compile(r"\.part-[0-9a-f]{32}\.parquet\.[0-9a-f]+\.part")


Done = Callable[[Row, int, bool], object]
"""Called with a row, the number of its frames, and whether it failed."""


class Part(NamedTuple):
    """Rows that are stored in one file."""

    name: str
    rows: tuple[Row, ...]


class Shard(NamedTuple):
    """One of several runs that share a dataset's parts."""

    number: int
    """The number of the shard, from 1 up."""
    of: int


@dataclass(slots=True)
class Outcome:
    """The result of a run."""

    made: int = 0
    """The number of parts that this run wrote."""
    failures: list[Failure] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    """Names of parts that were removed, because their rows are no longer in the index, or have changed."""
    complete: bool = False
    """Whether all parts of the index exist."""


class Dataset:
    """The parts of an index in a folder.

    The name of a part is a hash of its rows, of the size of each file, and of the settings that decide the numbers. A part
    that exists is complete, whichever process made it: a process looks for a part again before it makes it, and renames it
    when it is complete. The same command therefore resumes after an interruption, and several processes can share the work.

    Args:
        folder: where the parts are; made by `run`.
        recipe: the settings that make them, including `static`.
        index: the rows that are read.
        columns: the columns of the table.

    Raises:
        ArgumentError: the folder holds parts of another recipe, or a Parquet file that is no part.
        OutputError: it cannot be listed.
    """

    def __init__(self, folder: str | os.PathLike[str], recipe: Recipe, index: Index, columns: Columns) -> None:
        self.folder = Path(folder)
        self.recipe, self.columns = recipe, columns
        self.parts = _cut(index, recipe, columns)
        """All parts of the index, in its order."""
        self._there = self._listed()

    def missing(self, shard: Shard | None = None, retry: bool = False) -> list[Part]:
        """The parts that have to be made, in order.

        Args:
            shard: only this share of the parts.
            retry: also existing parts in which a row failed.
        """
        parts = self.parts if shard is None else self.parts[shard.number - 1 :: shard.of]
        return [part for part in parts if part.name not in self._there or (retry and self.failed_rows([part]))]

    def failed_rows(self, parts: Iterable[Part] | None = None) -> list[dict[str, Any]]:
        """The rows that failed in existing parts: `file`, `start`, `end`, `channel`, `reason`, and the user's columns."""
        found: list[dict[str, Any]] = []
        for part in self.parts if parts is None else parts:
            if part.name in self._there:
                found += json.loads(self._metadata(part.name).get(FAILED.encode(), b"[]"))
        return found

    def run(
        self,
        parts: Sequence[Part],
        extractor: Extractor,
        reading: Reading,
        jobs: int,
        begin: Callable[[float | None], object] = lambda _: None,
        progress: Callable[[float], object] = lambda _: None,
        done: Done = lambda _, __, ___: None,
    ) -> Outcome:
        """Make parts in this process; remove those that the index no longer has once all of its own are there.

        Args:
            parts: those to make, from `missing`.
            extractor: what computes.
            reading: how rows are read.
            jobs: how many computations run at the same time.
            begin: as in `corpus.run.results`.
            progress: as in `corpus.run.results`.
            done: called with every row, the number of its frames, and whether it failed.

        Raises:
            OutputError: a part cannot be written; those that were written stay.
        """
        outcome = Outcome()
        with writing(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
        again = {part.name for part in parts if part.name in self._there}
        # Two processes that run the same command begin at different places, so that both have something to do.
        first = secrets.randbelow(len(parts)) if parts else 0
        order = [*parts[first:], *parts[:first]]
        rows = ((part, row) for part in order if part.name in again or not self._is_there(part) for row in part.rows)
        waiting: list[tuple[Row, Result]] = []
        with closing(results(extractor, rows, reading, jobs, begin, progress)) as found:
            for part, row, result in found:
                waiting.append((row, result))
                done(row, sum(len(features) for _, features in result.parts), result.failure is not None)
                if result.failure:
                    outcome.failures.append(result.failure)
                if len(waiting) == len(part.rows):
                    write_part(self.folder / part.name, [result for _, result in waiting], self.columns, self.recipe)
                    outcome.made += 1
                    waiting = []
        self.tidy(outcome)
        return outcome

    def tidy(self, outcome: Outcome) -> None:
        """Check whether all parts exist; if so, remove drafts, and parts that are not in the index."""
        there = self._there = self._listed()
        own = {part.name for part in self.parts}
        outcome.complete = own <= there
        if outcome.complete:
            outcome.removed = sorted(there - own)
            drafts = [path.name for path in self.folder.iterdir() if _DRAFT.fullmatch(path.name)]
            for name in (*outcome.removed, *drafts):
                with suppress(FileNotFoundError), writing(str(self.folder)):
                    (self.folder / name).unlink(missing_ok=True)

    def _is_there(self, part: Part) -> bool:
        return (self.folder / part.name).exists()

    def _listed(self) -> set[str]:
        """Names of the existing parts."""
        try:
            names = {path.name for path in self.folder.iterdir() if path.suffix == ".parquet" and path.name[0] != "."}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be listed ({error.strerror or error})") from error
        mine = self.recipe.digest()[:8]
        for name in sorted(names):
            match = _NAME.fullmatch(name)
            if not match:
                raise ArgumentError(f"{self.folder}: holds {name}, which is not part of a dataset: choose another folder")
            if match[1] != mine:
                raise ArgumentError(
                    f"{self.folder}: holds a dataset of another recipe ({self._difference(name)}): choose another folder"
                )
        return names

    def _difference(self, name: str) -> str:
        try:
            other = Recipe.from_json(self._metadata(name)[RECIPE.encode()])
        except (KeyError, ArgumentError):
            return "which cannot be read"
        return ", ".join(self.recipe.differences(other)) or "of another version"

    def _metadata(self, name: str) -> dict[bytes, bytes]:
        from pyarrow import ArrowException, parquet

        try:
            return dict(parquet.read_metadata(self.folder / name).metadata or {})
        except (ArrowException, OSError) as error:
            raise OutputError(
                f"{self.folder / name}: is not a Parquet file ({error}): remove it, and run the command again"
            ) from error


def write_part(path: Path, found: Sequence[Result], columns: Columns, recipe: Recipe) -> None:
    """Write the results of a part's rows as a complete file.

    Raises:
        OutputError: it cannot be written.
    """
    names = [name for name, _ in columns.others]
    try:
        with open_table(path, columns, recipe) as table:
            for result in found:
                for row, features in result.parts:
                    table.write(TableRows(row, features, columns))
            failures = [failure_row(result.failure, names) for result in found if result.failure]
            if failures:
                table.note(FAILED, failures)
    except OutputError as error:
        # The run that completed the dataset has removed the drafts that others were still writing.
        if not (isinstance(error.__cause__, FileNotFoundError) and path.exists()):
            raise


def _cut(index: Index, recipe: Recipe, columns: Columns) -> list[Part]:
    parts: list[Part] = []
    seen: Counter[str] = Counter()
    head = [recipe.deciding(), [name for name, _ in columns.head]]
    mark = recipe.digest()[:8]
    for rows, digests in _runs(index):
        sizes = [_size(row.path) for row in rows]
        key = json.dumps([*head, list(zip(digests, sizes, strict=True))], sort_keys=True)
        seen[key] += 1  # an index may list the same rows twice
        name = hashlib.sha256(f"{key} {seen[key]}".encode()).hexdigest()[:24]
        parts.append(Part(f"part-{mark}{name}.parquet", tuple(rows)))
    return parts


def _runs(index: Index) -> Iterator[tuple[list[Row], list[str]]]:
    """Groups consecutive rows into parts, with their digests."""
    rows: list[Row] = []
    digests: list[str] = []
    names = [name for name, _ in index.columns]
    for row in index.rows:
        content = [row.file, row.start, row.end, row.channel, dict(zip(names, row.others, strict=True))]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        rows.append(row)
        digests.append(digest)
        if int(digest, 16) % _MODULUS == 0 or len(rows) == _MOST:
            yield rows, digests
            rows, digests = [], []
    if rows:
        yield rows, digests


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except (OSError, ValueError):
        return None
