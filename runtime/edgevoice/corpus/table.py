"""A corpus as a table of pandas."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from edgevoice.corpus.index import IndexSource, read_index
from edgevoice.corpus.rows import Columns, TableRows, joined
from edgevoice.corpus.run import failure_row, results
from edgevoice.errors import ArgumentError, EdgeVoiceWarning, missing
from edgevoice.extractor import Extractor, check_extractor
from edgevoice.features import segment_index
from edgevoice.recipe import Reading
from edgevoice.threads import allow_futures

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
    allow_futures()
    try:
        import pandas  # noqa: ICN001
    except ModuleNotFoundError as error:
        raise missing(error.name or "pandas") from error
    check_extractor(extractor)
    if not (progress is None or callable(progress)):
        raise ArgumentError(f"progress {progress!r}: expected a function of the number of rows that are done, or None")
    if scheduler is not None and (dataset is None or jobs is not None):
        raise ArgumentError("scheduler: expected with dataset=, which it makes, and without jobs=, which its workers decide")
    rows = read_index(index, root, keep)
    reading = Reading(level, hop, channel, pad, incomplete)
    columns = Columns.of_index(extractor.layout, static, rows, channel)
    recipe = replace(extractor.recipe(reading), static=static)
    jobs = extractor.jobs if jobs is None else jobs
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done)

    failed = [failure_row(*failure) for failure in rows.errors]
    if dataset is None:
        read: list[TableRows] = []
        with closing(results(extractor, [rows.rows], reading, jobs)) as found:
            for result in found:
                read += [TableRows(row, features, columns) for row, features in result.parts]
                failed += [failure_row(result.row, result.error)] if result.error else []
                count()
        values, cells = joined(read, columns)
    else:
        from edgevoice.corpus.dataset import Dataset

        stored = Dataset(dataset, recipe, rows, columns, prune)
        parts = stored.missing()
        if scheduler is None:
            done = len(rows.rows) - len(stored.left(parts))
            stored.run(parts, extractor, reading, jobs, done=count)
        elif parts:
            from edgevoice.corpus.cluster import run_on_cluster

            done = len(rows.rows) - sum(len(part.rows) for part in parts)
            run_on_cluster(stored, parts, extractor.folder, scheduler, done=count)
        values, cells = stored.read()
        failed += stored.failed_rows()
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(rows.rows) + len(rows.errors)} rows failed, the first with {failed[0]['file']}: "
            f"{failed[0]['reason']}; attrs['failed'] has all of them",
            EdgeVoiceWarning,
            stacklevel=2,
        )

    own = ("channel", *dict(columns.others))
    typed = {
        name: pandas.Series(cells[name], dtype=(_MISSING if name in own else _TYPES)[kind])
        for name, kind in columns.kinds.items()
        if name not in ("file", "start", "end")
    }
    others = {name: typed.pop(name) for name, _ in columns.others}
    blocks = [pandas.DataFrame(typed), pandas.DataFrame(values, columns=columns.values), pandas.DataFrame(others)]
    frame = pandas.concat([block for block in blocks if block.shape[1]], axis=1)
    start, end = (np.asarray(cells[key], np.float64) for key in ("start", "end"))
    frame.index = segment_index(list(cells["file"]), start, end)
    frame.attrs["recipe"] = recipe.to_dict()
    frame.attrs["failed"] = [{name: row[name] for name in ("file", "start", "end", "channel", "reason")} for row in failed]
    return frame
