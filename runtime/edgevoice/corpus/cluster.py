"""Computes the parts of a dataset as tasks of a dask cluster, on any machines that share the same folders."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevoice.audio.folders import absolute
from edgevoice.corpus.dataset import Dataset, Done, Outcome, Part, RowCallback, done_rows, write_part
from edgevoice.corpus.index import Row
from edgevoice.corpus.rows import Columns
from edgevoice.corpus.run import Result, results
from edgevoice.errors import ClusterError, EdgeVoiceError, missing
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice.recipe import Reading, Recipe

if TYPE_CHECKING:
    from edgevoice.extractor import Descriptors, Extractor

_PATIENCE = 20.0  # seconds within which a scheduler must answer
_OVER = ("finished", "error")
_LOST = "{}: the scheduler is lost; start it again, then run the same command to continue"
_TRIES = 2
"""How often a row or a part may end workers before it is given up. The scheduler itself tries each of them several times."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker must know about a dataset, apart from the part that it makes. Paths are absolute."""

    folder: str
    model: str
    """Its name or path."""
    threads: int
    recipe: Recipe
    columns: Columns


def run_on_cluster(
    dataset: Dataset,
    parts: Sequence[Part],
    model: ModelFolder,
    address: str,
    threads: int = 1,
    done: RowCallback = lambda _, __, ___: None,
    progress: Callable[[float], object] = lambda _: None,
) -> Outcome:
    """Make parts, as `Dataset.run` does, as tasks of the dask cluster with this scheduler (`tcp://host:8786`).

    A part that exists is complete, so whatever ends (a worker, this process, the scheduler), the same command continues.
    The tasks of a worker that dies are repeated by others. If a part ends one worker after the other, its rows are tried
    one by one; rows that end a worker are recorded as failed, and the part is made without them.
    """
    made = 0
    try:
        known = find_model(model.path.name).path == model.path  # then it may be found by its name elsewhere too
    except EdgeVoiceError:
        known = False
    place = model.path.name if known else absolute(model.path)
    work = Work(absolute(dataset.folder), place, threads, dataset.recipe, dataset.columns)
    there = {part.name for part in dataset.parts} - {part.name for part in dataset.missing()}
    with _client(address) as client:
        waiting = {}
        for part in parts:
            # With absolute paths, because a worker has another current folder.
            sent = part._replace(rows=tuple(row._replace(path=absolute(Path(row.path))) for row in part.rows))
            again = part.name in there
            # Two processes that run the same command ask for the same task, which is then made once.
            key = f"edgevoice-{part.name}{'-again' * again}"
            waiting[client.submit(make_part, work, sent, again, key=key, pure=False)] = sent
        for task in _completed(client, waiting, address):
            part = waiting[task]
            for row, (_, seconds, frames) in zip(part.rows, _made(task) or _try_rows(client, work, part), strict=True):
                progress(seconds)
                done(row, frames or 0, frames is None)
            made += 1
            task.release()
    return dataset.tidy(parts, made)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as error:
        raise missing("distributed", "a cluster") from error
    # It logs workers that died; that case is handled here.
    for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, set_as_default=False, timeout=_PATIENCE, name="edgevoice")
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(f"{address}: no scheduler answers within {_PATIENCE:g} s ({error})") from error
    from asyncio import CancelledError  # loaded by `distributed` already

    try:
        with client:
            yield client
    except EdgeVoiceError:
        raise
    except (OSError, CancelledError) as error:  # it went while a result was on its way
        raise ClusterError(_LOST.format(address)) from error


def _completed(client: Any, tasks: Any, address: str) -> Iterator[Any]:
    import distributed

    completed = distributed.as_completed(list(tasks), loop=client.loop)
    for task in completed:
        if task.status in _OVER:
            yield task
        elif task.status == "cancelled" or client.status != "running":
            raise ClusterError(_LOST.format(address))
        else:  # its worker ended before it could report, and another one makes the part again
            completed.add(task)


def _made(task: Any) -> Any:
    """What a task that is over has made; None where it has ended its workers."""
    from distributed import KilledWorker

    if task.status == "finished":
        return task.result()
    error = task.exception()
    if isinstance(error, KilledWorker):
        return None
    raise error if isinstance(error, EdgeVoiceError) else ClusterError(f"a worker: {type(error).__name__}: {error}")


def _try_rows(client: Any, work: Work, part: Part) -> list[Done]:
    """Make a part that ended several workers, without the rows that end a worker by themselves.

    A row is tried while no other part of it is, but workers die with all that waits for them: a part may be innocent.
    """

    def tried(function: Callable[..., Any], *arguments: Any, key: str) -> Any:
        for attempt in range(_TRIES):
            task = client.submit(function, work, *arguments, key=f"edgevoice-{part.name}-{key}-{attempt}", pure=False)
            client.gather([task], errors="skip")
            if task.status in _OVER and (found := _made(task)):
                return found
        return None

    lost = [number for number, row in enumerate(part.rows) if not tried(try_row, row, key=f"row-{number}")]
    found: list[Done] | None = tried(make_part, part, True, lost, key="again")
    if found is None:
        raise ClusterError(f"{part.name}: ended the workers that made it {_TRIES} times; run the same command to try again")
    return found


def make_part(work: Work, part: Part, again: bool, lost: Sequence[int] = ()) -> list[Done]:
    """Make one part with absolute paths, `again` even where it is there. Rows whose numbers are lost end a worker."""
    path = Path(work.folder, part.name)
    if again or not path.exists():
        rows = [row for number, row in enumerate(part.rows) if number not in lost]
        found = list(results(_extractor(work), [rows], Reading.of(work.recipe), 1))
        for number in lost:
            row = part.rows[number]
            found.insert(number, Result(row, error=ClusterError(f"{row.path}: ended each worker that read it")))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_part(path, found, work.columns, work.recipe)
    return done_rows(path)


def try_row(work: Work, row: Row) -> bool:
    """Compute one row and discard the result; true, if the worker is still there."""
    return bool(list(results(_extractor(work), [[row]], Reading.of(work.recipe), 1)))


def _extractor(work: Work) -> Extractor:
    extractor = _loaded(work.model, work.recipe.device, work.threads, work.recipe.descriptors)
    own = replace(extractor.recipe(Reading.of(work.recipe)), static=work.recipe.static)
    if differences := work.recipe.differences(own):
        raise ClusterError(
            f"a worker on {platform.node()} has another {', '.join(differences)} than the command: install the same "
            "EdgeVoice and the same models on all machines"
        )
    return extractor


@lru_cache(maxsize=2)
def _loaded(model: str, device: str, threads: int, descriptors: Descriptors) -> Extractor:
    """Load a model, once per worker."""
    from edgevoice.extractor import load

    return load(model, device=device, threads=threads, descriptors=descriptors)
