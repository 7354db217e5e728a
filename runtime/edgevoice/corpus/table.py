"""Features and corpora as tables of pandas."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from edgevoice.corpus.index import Index, IndexSource, Row, read_index
from edgevoice.corpus.rows import Block, Columns, block
from edgevoice.corpus.run import EACH, Failure, Reading, results
from edgevoice.errors import ArgumentError, EdgeVoiceWarning, MissingPackageError
from edgevoice.extractor import Extractor
from edgevoice.features import Features
from edgevoice.recipe import Recipe

_TYPES = {"text": "string", "whole": "int64", "number": "float64", "flag": "bool"}


def features_frame(features: Features, static: bool) -> Any:
    """What `Features.to_frame` gives."""
    columns = Columns.of(features.layout, static)
    row = Row(features.source, features.source)
    recipe = None if features.recipe is None else replace(features.recipe, static=static)
    blocks = [block(row, features, columns)] if static or len(features) else []
    return _frame(blocks, columns, recipe, [])


def corpus_frame(
    extractor: Extractor,
    source: IndexSource,
    root: str | os.PathLike[str] | None,
    static: bool,
    reading: Reading,
    jobs: int | None,
    progress: Callable[[int], object] | None,
) -> Any:
    """What `Extractor.table` gives."""
    _pandas()
    index = read_index(source, root)
    check_channel(index, reading)
    columns = Columns.of_index(extractor.layout, static, index, reading.channel == EACH)
    recipe = replace(whole_recipe(extractor, reading), static=static)
    jobs = extractor.concurrency if jobs is None else jobs
    blocks: list[Block] = []
    failed: list[Failure] = []
    with closing(results(extractor, ((None, row) for row in index.rows), reading, jobs)) as found:
        for done, (_, _, result) in enumerate(found, 1):
            blocks += [block(row, features, columns) for row, features in result.parts]
            failed += [result.failure] if result.failure else []
            if progress:
                progress(done)
    if failed:
        warnings.warn(_told(failed, index), EdgeVoiceWarning, stacklevel=3)
    return _frame(blocks, columns, recipe, failed)


def whole_recipe(extractor: Extractor, reading: Reading) -> Recipe:
    """The recipe of what is read in this way."""
    return extractor.recipe(level=reading.level, hop=reading.hop, channel=reading.channel, pad=reading.pad)


def check_channel(index: Index, reading: Reading) -> None:
    """Refuse a channel for all rows where the index has one for each.

    Raises:
        ArgumentError: both are there, or the channel is neither a number nor `each`.
    """
    if isinstance(reading.channel, str) and reading.channel != EACH:
        raise ArgumentError(f"channel {reading.channel!r}: expected a whole number, 0 or more, or '{EACH}'")
    if index.has_channel and reading.channel is not None:
        raise ArgumentError("channel: the index has a column of that name; give the one or the other")


def _told(failed: Sequence[Failure], index: Index) -> str:
    first = failed[0]
    return f"{len(failed)} of {len(index.rows)} rows failed, the first with {first.error}; attrs['failed'] has all of them"


def _pandas() -> Any:
    try:
        import pandas  # noqa: ICN001
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise MissingPackageError("pandas is not installed: pip install 'edgevoice[tables]'") from error
    return pandas


def _frame(blocks: Sequence[Block], columns: Columns, recipe: Recipe | None, failed: Sequence[Failure]) -> Any:
    pandas = _pandas()
    counts = [len(part) for part in blocks]

    def joined(k: int, kind: str) -> Any:
        if kind == "text" or columns.head[k][0] == "channel":
            cells = [cell for part in blocks for cell in part.column(k)]
            return pandas.Series(cells, dtype="string" if kind == "text" else "Int64")  # as audformat
        parts = [np.asarray(part.column(k)) for part in blocks]
        return np.concatenate([np.empty(0), *parts]).astype(_TYPES[kind])

    head = {name: joined(k, kind) for k, (name, kind) in enumerate(columns.head)}
    durations = [pandas.to_timedelta(head.pop(key), unit="s") for key in ("start", "end")]
    place = pandas.MultiIndex.from_arrays([head.pop("file"), *durations], names=["file", "start", "end"])
    values = np.concatenate([np.empty((0, len(columns.values)), np.float32), *(part.values for part in blocks)])
    others = {
        name: pandas.Series(
            [part.row.others[k] for part, count in zip(blocks, counts, strict=True) for _ in range(count)],
            dtype={"whole": "Int64", "flag": "boolean"}.get(kind, _TYPES[kind]),
        )
        for k, (name, kind) in enumerate(columns.others)
    }
    parts = [pandas.DataFrame(head), pandas.DataFrame(values, columns=list(columns.values)), pandas.DataFrame(others)]
    frame = pandas.concat([part for part in parts if part.shape[1]], axis=1)
    frame.index = place
    if recipe is not None:
        frame.attrs["recipe"] = recipe.to_dict()
    if failed:
        frame.attrs["failed"] = [failure_dict(failure) for failure in failed]
    return frame


def failure_dict(failure: Failure) -> dict[str, Any]:
    """A row that failed, and why: ready for JSON."""
    row = failure.row
    # An absolute path of this machine is of no use on another one.
    reason = str(failure.error).removeprefix(f"{row.path}: ").replace(row.path, row.file)
    return {"file": row.file, "start": row.start, "end": row.end, "channel": row.channel, "reason": reason}


def failure_row(failure: Failure, names: Sequence[str]) -> dict[str, Any]:
    """A row that failed, and why, with the user's own columns: ready for JSON and CSV."""
    others = dict(zip(names, failure.row.others, strict=False))
    return {**others, **failure_dict(failure)}
