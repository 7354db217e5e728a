"""Computes the parts of a dataset as tasks of a dask cluster, on any machines that share the same folders."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgevoice.audio.folders import absolute
from edgevoice.corpus.dataset import SECONDS, Dataset, Outcome, Part, RowCallback, noted, write_part
from edgevoice.corpus.index import Failure
from edgevoice.corpus.rows import Columns
from edgevoice.corpus.run import Result, results
from edgevoice.errors import ClusterError, EdgeVoiceError, missing
from edgevoice.extraction import Reading
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice.recipe import Recipe
from edgevoice.tables.parquetfile import FAILED

if TYPE_CHECKING:
    from edgevoice.extractor import Descriptors, Extractor

_PATIENCE = 20.0
"""Seconds within which a scheduler must answer."""
_KEYS = ("file", "start", "end", "channel")
_LOST = "{}: the scheduler is lost; start it again, then run the same command to continue"
_TRIES = 2
"""How often a row or a part may end workers before it is given up. The scheduler itself tries each of them several times."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker must know about a dataset, apart from the part that it makes."""

    folder: str
    """Folder of the dataset, as an absolute path that is valid on every machine."""
    model: str
    """Name of the model, or its absolute path."""
    threads: int
    recipe: Recipe
    columns: Columns

    @classmethod
    def of(cls, dataset: Dataset, model: ModelFolder, threads: int = 1) -> Work:
        """What makes a dataset with this model; its name does, if it finds the model, for then it may elsewhere too."""
        name = model.path.name
        try:
            known = find_model(name).path == model.path
        except EdgeVoiceError:
            known = False
        place = name if known else absolute(model.path)
        return cls(absolute(dataset.folder), place, threads, dataset.recipe, dataset.columns)


class Report(NamedTuple):
    """A worker's report about a part."""

    frames: int = 0
    seconds: float = 0.0
    """The length of the audio that was read."""
    failed: frozenset[int] = frozenset()
    """Numbers of the rows that failed."""
    error: EdgeVoiceError | None = None
    """Why the part could not be made."""


def run_on_cluster(
    dataset: Dataset,
    parts: Sequence[Part],
    work: Work,
    address: str,
    done: RowCallback = lambda _, __, ___: None,
    progress: Callable[[float], object] = lambda _: None,
) -> Outcome:
    """Make parts, as `Dataset.run` does, as tasks of the dask cluster with this scheduler (`tcp://host:8786`).

    A part that exists is complete, so whatever ends (a worker, this process, the scheduler), the same command continues.
    The tasks of a worker that dies are repeated by others. If a part ends one worker after the other, its rows are tried
    one by one; rows that end a worker are recorded as failed, and the part is made without them. `done` is called with
    every row of a part that is made; its first row counts all frames of the part.

    Raises:
        MissingPackageError: dask.distributed is not installed.
        ClusterError: the scheduler does not answer, or is lost; or a worker has another model or package.
        OutputError: a worker cannot write a part.
    """
    outcome = Outcome()
    there = {part.name for part in dataset.parts} - {part.name for part in dataset.missing()}
    with _client(address) as client:
        waiting = {}
        for part in parts:  # with absolute paths, because a worker has another current folder
            rows = tuple(row._replace(path=absolute(Path(row.path))) for row in part.rows)
            task = _submit(client, work, part._replace(rows=rows), part.name in there)
            waiting[task] = part._replace(rows=rows)
        for task in _completed(client, waiting, address):
            part = waiting[task]
            report = task.result() if task.status == "finished" else _try_rows(client, work, part)
            if report.error:
                raise report.error
            progress(report.seconds)
            for number, row in enumerate(part.rows):
                done(row, 0 if number else report.frames, number in report.failed)
            outcome.made += 1
            task.release()
    return dataset.tidy(outcome, parts)


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


def _submit(client: Any, work: Work, part: Part, again: bool, lost: frozenset[int] = frozenset()) -> Any:
    # Two processes that run the same command ask for the same task, which is then made once.
    key = f"edgevoice-{part.name}" + ("-again" if again or lost else "")
    return client.submit(make_part, work, part, again, lost, key=key, pure=False)


def _completed(client: Any, tasks: Any, address: str) -> Iterator[Any]:
    import distributed

    completed = distributed.as_completed(list(tasks), loop=client.loop)
    for task in completed:
        if task.status in ("finished", "error"):
            yield task
        elif task.status == "cancelled" or client.status != "running":
            raise ClusterError(_LOST.format(address))
        else:  # its worker ended before it could report, and another one makes the part again
            completed.add(task)


def _try_rows(client: Any, work: Work, part: Part) -> Report:
    """Make a part that ended several workers, without the rows that end a worker by themselves.

    A row is tried while no other part of it is, but workers die with all that waits for them: a part may be innocent.
    """
    lost = frozenset(number for number in range(len(part.rows)) if not _survives(client, work, part, number))
    for _ in range(_TRIES):
        task = _submit(client, work, part, True, lost)
        client.gather([task], errors="skip")
        if task.status == "finished":
            report: Report = task.result()
            return report
        task.release()
    raise ClusterError(f"{part.name}: ended the workers that made it {_TRIES} times; run the same command to try again")


def _survives(client: Any, work: Work, part: Part, number: int) -> bool:
    """Whether at least one attempt to compute a row ends without the death of its worker."""
    for attempt in range(_TRIES):
        key = f"edgevoice-{part.name}-row-{number}-{attempt}"
        task = client.submit(try_row, work, part, number, key=key, pure=False)
        client.gather([task], errors="skip")
        if task.status == "finished":
            return True
    return False


def make_part(work: Work, part: Part, again: bool, lost: frozenset[int]) -> Report:
    """Make one part with absolute paths, `again` even where it is there. Rows whose numbers are lost end a worker."""
    path = Path(work.folder, part.name)
    try:
        if again or not path.exists():
            _make(path, work, part, lost)
        return _report(path, part, work.columns)
    except EdgeVoiceError as error:
        return Report(error=error)
    except Exception as error:  # noqa: BLE001 - unexpected errors are reported too
        return Report(error=ClusterError(f"{part.name}: {type(error).__name__}: {error}"))


def _make(path: Path, work: Work, part: Part, lost: frozenset[int]) -> None:
    found: list[Result] = []
    kept = ((None, row) for number, row in enumerate(part.rows) if number not in lost)
    with closing(results(_extractor(work), kept, Reading.of(work.recipe), 1)) as computed:
        for number, row in enumerate(part.rows):
            if number in lost:
                error = ClusterError(f"{row.path}: ended each worker that read it")
                found.append(Result([], Failure(row, error)))
            else:
                found.append(next(computed)[2])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_part(path, part.rows, found, work.columns, work.recipe)


def _report(path: Path, part: Part, columns: Columns) -> Report:
    """The report about a part, whichever process made it."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        frames = file.metadata.num_rows
        if columns.static and frames:
            frames = sum(file.read(["frames"])["frames"].to_pylist())
    failed = [tuple(row[key] for key in _KEYS) for row in noted(path, FAILED)]
    numbers = frozenset(k for k, row in enumerate(part.rows) if tuple(getattr(row, key) for key in _KEYS) in failed)
    return Report(frames, sum(noted(path, SECONDS)), numbers)


def try_row(work: Work, part: Part, number: int) -> None:
    """Compute one row of a part and discard the result. A worker runs this."""
    row = [(None, part.rows[number])]
    with suppress(EdgeVoiceError), closing(results(_extractor(work), row, Reading.of(work.recipe), 1)) as computed:
        next(computed)


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
