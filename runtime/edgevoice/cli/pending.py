# ruff: noqa: D103 - goes
"""Stands for names that other modules are going to have, with their signatures; then imports of this module become theirs.

check_outputs, refuse_existing, whole_file, writing, Draft      edgevoice.files
files_of, obstacle                                              edgevoice.tables.table
read_index, read_index_file (keep=)                             edgevoice.corpus.index
Reading (incomplete=)                                           edgevoice.extraction
Dataset (prune=)                                                edgevoice.corpus.dataset
run_on_cluster (progress=)                                      edgevoice.corpus.cluster
table_rows                                                      edgevoice.corpus.rows: TableRows.of
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevoice.corpus import index, run
from edgevoice.errors import ArgumentError


def _refuse(name: str, given: object) -> None:
    if given:
        raise ArgumentError(f"{name}: not in this version")


def read_index(source: Any, root: str | None, keep: Any = ()) -> index.Index:
    _refuse("--keep", keep)
    return index.read_index(source, root)


def read_index_file(path: str, root: str | None, keep: Any = ()) -> index.Index:
    _refuse("--keep", keep)
    return index.read_csv_file(path, root)


def Reading(level: Any, hop: Any, channel: Any, pad: bool, incomplete: str) -> run.Reading:  # noqa: N802
    _refuse("--incomplete", incomplete != "error")
    return run.Reading(level, hop, channel, pad)


def Dataset(folder: Path, recipe: Any, rows: index.Index, columns: Any, prune: bool) -> Any:  # noqa: N802
    from edgevoice.corpus import dataset

    _refuse("--prune", prune)
    return dataset.Dataset(folder, recipe, rows, columns)


def run_on_cluster(made: Any, parts: Any, work: Any, address: str, done: Any, progress: Any) -> Any:  # noqa: ARG001
    from edgevoice.corpus import cluster

    return cluster.run_on_cluster(made, parts, work, address, done)
