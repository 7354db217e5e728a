"""A corpus as a table of pandas."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.folders import absolute
from edgevoice.corpus.index import Index, IndexSource, Row, read_index
from edgevoice.corpus.rows import Columns, TableRows, joined
from edgevoice.corpus.run import EACH, Failure, failure_dict, results
from edgevoice.errors import ArgumentError, EdgeVoiceError, EdgeVoiceWarning, missing
from edgevoice.extraction import Reading
from edgevoice.extractor import Descriptors, Extractor, check_extractor
from edgevoice.features import segment_index
from edgevoice.modelfolder import find_model
from edgevoice.recipe import Recipe
from edgevoice.threads import allow_futures
from edgevoice.wholenumbers import whole_number

_TYPES = {"text": "string", "whole": "int64", "number": "float64", "flag": "bool"}
_MISSING = {**_TYPES, "whole": "Int64", "flag": "boolean"}
"""Types of columns in which a cell may be missing, as audformat has them."""


def table(
    index: IndexSource,
    extractor: Extractor,
    *,
    root: str | os.PathLike[str] | None = None,
    static: bool = False,
    level: str | float | None = None,
    hop: float | None = None,
    channel: int | str | None = None,
    pad: bool = False,
    incomplete: str = "error",
    jobs: int | None = None,
    progress: Callable[[int], object] | None = None,
    dataset: str | os.PathLike[str] | None = None,
    scheduler: str | None = None,
    keep: Sequence[str] = (),
    prune: bool = False,
) -> Any:
    """Compute the features of a corpus as a `pandas.DataFrame` with an audformat index: `file`, `start` and `end`.

    Rows have the numbers that `extract` gives for the same file, start, end and channel. Those that fail are left out:
    a warning counts them, `attrs["failed"]` lists them with their reasons; `attrs["recipe"]` is what made the table.

    Args:
        index: the recordings to read: a folder, paths, (file, start, end) rows, the path of a CSV or Parquet file, a data
            frame, a series, or an audformat index. Its other columns come last.
        extractor: what computes.
        root: the folder that relative files are in, and that `file` is made relative to; without it, names stay as they are.
        static: one row with functionals per row of the index, instead of one row per frame.
        level: as `Extractor.extract`.
        hop: as `Extractor.extract`.
        channel: as `Extractor.extract`; `each` gives the rows of every channel, with a column `channel`.
        pad: as `Extractor.extract`.
        incomplete: as `Extractor.extract`.
        jobs: how much is computed at the same time: one file or batch per usable core if None.
        progress: called with the number of rows of the index that are done.
        dataset: a folder of Parquet parts, as `edgevoice extract -o NAME.parquet/` makes it. Complete parts stay there,
            also after Ctrl-C, and the same call resumes; the table is read from it. None keeps everything in memory.
        scheduler: address of a dask scheduler, whose workers make the parts of the dataset.
        keep: columns of the index that look like places in a file, such as `onset`, and are the user's own.
        prune: whether parts of the dataset with rows that are not in the index are removed.

    Raises:
        ArgumentError: an argument is outside what is allowed, or the index cannot be used.
        AudioFileNotFoundError: the folder, or the index, is not there.
        DeviceError: computing failed.
        MissingPackageError: pandas is not installed, or pyarrow, where there is a dataset.
        OutputError: the dataset cannot be written.
    """
    _pandas()
    check_extractor(extractor)
    rows = read_index(index, root, keep)
    reading = Reading(level, hop, channel, pad, incomplete)
    check_channel(rows, reading)
    if scheduler is not None and (dataset is None or jobs is not None):
        raise ArgumentError("scheduler: expected with dataset=, which it makes, and without jobs=, which its workers decide")
    columns = Columns.of_index(extractor.layout, static, rows, reading.channel == EACH)
    recipe = replace(extractor.recipe(reading), static=static)
    call = _Call(extractor, rows, columns, recipe, reading, progress or (lambda _: None))
    if dataset is None:
        made, failed = _in_memory(call, extractor.jobs if jobs is None else jobs)
    else:
        made, failed = _through_dataset(call, Path(dataset), prune, jobs, scheduler)
    failed = [*(failure_dict(Failure(Row(name, name), error)) for name, error in rows.errors), *failed]
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(rows.rows) + len(rows.errors)} rows failed, the first with {failed[0]['file']}: "
            f"{failed[0]['reason']}; attrs['failed'] has all of them",
            EdgeVoiceWarning,
            stacklevel=2,
        )
    return _frame(*made, columns, recipe, failed)


class _Call(NamedTuple):
    """What a table is made of."""

    extractor: Extractor
    rows: Index
    columns: Columns
    recipe: Recipe
    reading: Reading
    progress: Callable[[int], object]


_Cells = tuple[NDArray[np.float32], dict[str, Any]]
"""The matrix of the descriptors, and the cells of each other column."""
_Failed = list[dict[str, Any]]


def _in_memory(call: _Call, jobs: int) -> tuple[_Cells, _Failed]:
    blocks: list[TableRows] = []
    failed: _Failed = []
    rows = ((None, row) for row in call.rows.rows)
    with closing(results(call.extractor, rows, call.reading, jobs)) as found:
        for done, (_, _, result) in enumerate(found, 1):
            blocks += [TableRows(row, features, call.columns) for row, features in result.parts]
            failed += [failure_dict(result.failure)] if result.failure else []
            call.progress(done)
    return joined(blocks, call.columns), failed


def _through_dataset(
    call: _Call, folder: Path, prune: bool, jobs: int | None, scheduler: str | None
) -> tuple[_Cells, _Failed]:
    """Make the missing parts of a dataset, and read it."""
    from edgevoice.corpus.dataset import Dataset

    extractor, index, columns, recipe, reading, progress = call
    made = Dataset(folder, recipe, index, columns, prune)
    parts = made.missing()
    done = len(index.rows) - len(made.left(parts) if scheduler is None else [row for part in parts for row in part.rows])

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        progress(done)

    if scheduler is None:
        made.run(parts, extractor, reading, extractor.jobs if jobs is None else jobs, done=count)
    elif parts:
        from edgevoice.corpus.cluster import Work, run_on_cluster

        name, path = extractor.config.name, extractor.folder.path
        model = name if _is_known(name, path) else absolute(path)
        work = Work(
            absolute(folder), model, extractor.device, 1, cast("Descriptors", recipe.descriptors), reading, recipe, columns
        )
        run_on_cluster(made, parts, work, scheduler, count)
    return _stored([folder / part.name for part in made.parts], columns), made.failed_rows()


def _is_known(name: str, path: Path) -> bool:
    """Whether this name finds this model folder, so that it may find it elsewhere too."""
    try:
        return find_model(name).path == path
    except EdgeVoiceError:
        return False


def _stored(parts: Sequence[Path], columns: Columns) -> _Cells:
    """The cells of a dataset's parts, in this order."""
    import pyarrow  # noqa: ICN001
    from pyarrow import parquet

    if not parts:
        return joined([], columns)
    stored = pyarrow.concat_tables([_content(parquet.ParquetFile(part)) for part in parts])
    values = np.stack([stored.column(name).to_numpy() for name in columns.values], axis=1)
    return values, {name: stored.column(name).to_pylist() for name in columns.kinds}


def _content(file: Any) -> Any:
    # Of a file without a row group, older versions of pyarrow read nothing but an error.
    return file.read() if file.num_row_groups else file.schema_arrow.empty_table()


def check_channel(index: Index, reading: Reading) -> None:
    """Reject a channel for all rows where the index has a channel per row.

    Raises:
        ArgumentError: both are there, or the channel is neither a number nor `each`.
    """
    channel = reading.channel
    if channel is not None and not (isinstance(channel, str) and channel == EACH):
        try:
            whole_number("channel", channel, 0)
        except ArgumentError as error:
            raise ArgumentError(f"{error}, or '{EACH}'") from None
    if index.has_channel and reading.channel is not None:
        raise ArgumentError("channel: the index has a column of that name; use one of them")


def _pandas() -> Any:
    allow_futures()
    try:
        import pandas  # noqa: ICN001
    except ModuleNotFoundError as error:
        raise missing(error.name or "pandas") from error
    return pandas


def _frame(values: NDArray[np.float32], cells: dict[str, Any], columns: Columns, recipe: Recipe, failed: _Failed) -> Any:
    pandas = _pandas()
    own = ("channel", *dict(columns.others))
    typed = {
        name: pandas.Series(cells[name], dtype=(_MISSING if name in own else _TYPES)[kind])
        for name, kind in columns.kinds.items()
        if name not in ("file", "start", "end")
    }
    others = {name: typed.pop(name) for name, _ in columns.others}
    parts = [pandas.DataFrame(typed), pandas.DataFrame(values, columns=columns.values), pandas.DataFrame(others)]
    frame = pandas.concat([part for part in parts if part.shape[1]], axis=1)
    start, end = (np.asarray(cells[key], np.float64) for key in ("start", "end"))
    frame.index = segment_index(list(cells["file"]), start, end)
    frame.attrs["recipe"] = recipe.to_dict()
    frame.attrs["failed"] = [{name: row[name] for name in ("file", "start", "end", "channel", "reason")} for row in failed]
    return frame
