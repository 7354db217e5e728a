"""Features and corpora as tables of pandas."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.corpus.index import Index, IndexSource, Row, read_index
from edgevoice.corpus.rows import Columns, TableRows, joined
from edgevoice.corpus.run import EACH, Failure, Reading, results
from edgevoice.errors import ArgumentError, EdgeVoiceWarning, MissingPackageError
from edgevoice.extractor import Extractor
from edgevoice.features import Features, segment_index
from edgevoice.recipe import Recipe

_TYPES = {"text": "string", "whole": "int64", "number": "float64", "flag": "bool"}


def features_frame(features: Features, static: bool) -> Any:
    """The result of `Features.to_frame`."""
    columns = Columns.of(features.layout, static)
    row = Row(features.source, features.source)
    recipe = None if features.recipe is None else replace(features.recipe, static=static)
    blocks = [TableRows(row, features, columns)] if static or len(features) else []
    return _frame(blocks, columns, recipe, None)


def corpus_frame(
    extractor: Extractor,
    source: IndexSource,
    root: str | os.PathLike[str] | None,
    static: bool,
    reading: Reading,
    jobs: int | None,
    progress: Callable[[int], object] | None,
    dataset: str | os.PathLike[str] | None,
) -> Any:
    """The result of `Extractor.table`."""
    _pandas()
    index = read_index(source, root)
    check_channel(index, reading)
    columns = Columns.of_index(extractor.layout, static, index, reading.channel == EACH)
    recipe = replace(whole_recipe(extractor, reading), static=static)
    jobs = extractor.jobs if jobs is None else jobs
    if dataset is not None:
        return _through_dataset(extractor, index, columns, recipe, reading, jobs, progress, Path(dataset))
    blocks: list[TableRows] = []
    failed: list[Failure] = []
    with closing(results(extractor, ((None, row) for row in index.rows), reading, jobs)) as found:
        for done, (_, _, result) in enumerate(found, 1):
            blocks += [TableRows(row, features, columns) for row, features in result.parts]
            failed += [result.failure] if result.failure else []
            if progress:
                progress(done)
    if failed:
        warnings.warn(_told([failure.error for failure in failed], index), EdgeVoiceWarning, stacklevel=3)
    return _frame(blocks, columns, recipe, [failure_dict(failure) for failure in failed])


def _through_dataset(
    extractor: Extractor,
    index: Index,
    columns: Columns,
    recipe: Recipe,
    reading: Reading,
    jobs: int,
    progress: Callable[[int], object] | None,
    folder: Path,
) -> Any:
    """Make the missing parts of a dataset, and read it as a table."""
    from edgevoice.corpus.dataset import Dataset

    made = Dataset(folder, recipe, index, columns)
    missing = made.missing()
    done = len(index.rows) - sum(len(part.rows) for part in missing)

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done)

    made.run(missing, extractor, reading, jobs, done=count)
    failed = made.failed_rows()
    if failed:
        warnings.warn(_told([row["reason"] for row in failed], index), EdgeVoiceWarning, stacklevel=4)
    return _stored_frame([folder / part.name for part in made.parts], columns, recipe, failed)


def whole_recipe(extractor: Extractor, reading: Reading) -> Recipe:
    """The recipe of features that are read in this way."""
    return extractor.recipe(level=reading.level, hop=reading.hop, channel=reading.channel, pad=reading.pad)


def check_channel(index: Index, reading: Reading) -> None:
    """Reject a channel for all rows where the index has a channel per row.

    Raises:
        ArgumentError: both are there, or the channel is neither a number nor `each`.
    """
    if isinstance(reading.channel, str) and reading.channel != EACH:
        raise ArgumentError(f"channel {reading.channel!r}: expected a whole number, 0 or more, or '{EACH}'")
    if index.has_channel and reading.channel is not None:
        raise ArgumentError("channel: the index has a column of that name; use one of them")


def _told(reasons: Sequence[object], index: Index) -> str:
    return f"{len(reasons)} of {len(index.rows)} rows failed, the first with {reasons[0]}; attrs['failed'] has all of them"


def _pandas() -> Any:
    try:
        import pandas  # noqa: ICN001
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise MissingPackageError("pandas is not installed: pip install 'edgevoice[tables]'") from error
    return pandas


def _frame(
    blocks: Sequence[TableRows], columns: Columns, recipe: Recipe | None, failed: Sequence[dict[str, Any]] | None
) -> Any:
    """The data frame of blocks in memory."""
    return _assembled(*joined(blocks, columns), columns, recipe, failed)


def _stored_frame(parts: Sequence[Path], columns: Columns, recipe: Recipe, failed: Sequence[dict[str, Any]]) -> Any:
    """The data frame of a dataset's parts, in this order."""
    import pyarrow  # noqa: ICN001
    from pyarrow import parquet

    if not parts:
        return _frame([], columns, recipe, failed)
    table = pyarrow.concat_tables([parquet.ParquetFile(part).read() for part in parts])
    values = np.stack([table.column(name).to_numpy() for name in columns.values], axis=1)
    return _assembled(values, {name: table.column(name).to_pylist() for name in columns.kinds}, columns, recipe, failed)


def _assembled(
    values: NDArray[np.float32],
    cells: Mapping[str, Any],
    columns: Columns,
    recipe: Recipe | None,
    failed: Sequence[dict[str, Any]] | None,
) -> Any:
    pandas = _pandas()
    missing = {"whole": "Int64", "flag": "boolean"}  # in columns where a cell may be missing, as audformat has them
    own = ("channel", *dict(columns.others))
    start, end = (np.asarray(cells[key], np.float64) for key in ("start", "end"))
    typed = {
        name: pandas.Series(cells[name], dtype=missing.get(kind, _TYPES[kind]) if name in own else _TYPES[kind])
        for name, kind in columns.kinds.items()
        if name not in ("file", "start", "end")
    }
    others = {name: typed.pop(name) for name, _ in columns.others}
    parts = [pandas.DataFrame(typed), pandas.DataFrame(values, columns=columns.values), pandas.DataFrame(others)]
    frame = pandas.concat([part for part in parts if part.shape[1]], axis=1)
    frame.index = segment_index(list(cells["file"]), start, end)
    if recipe is not None:
        frame.attrs["recipe"] = recipe.to_dict()
    if failed is not None:
        names = ("file", "start", "end", "channel", "reason")
        frame.attrs["failed"] = [{name: row[name] for name in names} for row in failed]
    return frame


def failure_dict(failure: Failure) -> dict[str, Any]:
    """A failed row and its reason, as a dictionary for JSON."""
    row = failure.row
    # An absolute path of this machine is of no use on another one.
    reason = str(failure.error).removeprefix(f"{row.path}: ").replace(row.path, row.file)
    return {"file": row.file, "start": row.start, "end": row.end, "channel": row.channel, "reason": reason}


def failure_row(failure: Failure, names: Sequence[str]) -> dict[str, Any]:
    """A failed row and its reason, with the user's columns, for JSON and CSV."""
    others = dict(zip(names, failure.row.others, strict=False))
    return {**others, **failure_dict(failure)}
