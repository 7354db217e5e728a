"""Pieces of labelled recordings: runs of frames as long as will be judged, and their descriptions."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import count, groupby, repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.folders import absolute
from edgevoice.audio.samples import as_float
from edgevoice.corpus.dataset import Dataset
from edgevoice.corpus.index import Index, IndexSource, Row, read_index
from edgevoice.corpus.rows import Columns
from edgevoice.corpus.tabular import stripped
from edgevoice.errors import ArgumentError, EdgeVoiceWarning, missing
from edgevoice.extractor import Extractor
from edgevoice.files import unicode_text, writing
from edgevoice.heads.judging import Task
from edgevoice.recipe import Reading, Recipe

Progress = Callable[[int, int], object]
"""Called with the number of recordings that are done, and of all."""

_MOST_LABELS = 10
"""More distinct numbers than these are hardly labels."""
_LARGEST = float(np.finfo(np.float32).max)
"""Of the numbers that are learnt."""
_BATCH = 1 << 14
_MOST_FRAMES = 100_000
_NOTHING = ("", "nan", "nat", "none", "null", "<na>")


class Labelled(NamedTuple):
    """Rows of an index with what is known of them."""

    rows: tuple[Row, ...]
    targets: tuple[Any, ...]
    """Labels, or numbers."""
    groups: tuple[str, ...]
    numeric: bool
    group: str
    """The name of the column of groups."""

    def check(self) -> None:
        """Refuse one label in all, and a label (with numbers: all rows) that has one group only."""
        if len(set(self.groups)) < 2:
            raise ArgumentError(
                f"{self.group}: is {self.groups[0]!r} in all rows: a score needs groups that were not learnt from"
            )
        if self.numeric:
            return
        found = defaultdict(set)
        for target, owner in zip(self.targets, self.groups, strict=True):
            found[target].add(owner)
        if len(found) < 2:
            raise ArgumentError(f"all rows have the label {self.targets[0]!r}: at least two labels are needed")
        if alone := sorted(target for target, owners in found.items() if len(owners) < 2):
            raise ArgumentError(
                f"{len(alone)} of {len(found)} labels, as {alone[0]!r}, come from one {self.group} each: such a label "
                f"cannot be told from the {self.group}; at least two are needed"
            )

    def task(self, rows: NDArray[np.int64]) -> Task:
        """What is learnt from pieces of these rows; `check` is of them now."""
        targets, owners = [self.targets[k] for k in rows], [self.groups[k] for k in rows]
        self._replace(targets=tuple(targets), groups=tuple(owners)).check()
        if lost := sorted({*range(len(self.rows))} - {*rows.tolist()}):
            gone = [] if self.numeric else sorted({*self.targets} - {*targets})
            words = "".join(f"; none has {label!r}" for label in gone)
            warn(
                f"{len(lost)} of {len(self.rows)} rows give no piece, the first is {self.rows[lost[0]].file}: too short, "
                f"silent, unreadable, or not inside the recording{words}"
            )
        groups = np.unique(owners, return_inverse=True)[1]
        if self.numeric:
            return Task(np.array(targets, np.float64), groups, ())
        names, codes = np.unique(np.array(targets, object), return_inverse=True)
        return Task(codes, groups, tuple(map(str, names)))


class Pieces(NamedTuple):
    """What is fitted on."""

    values: NDArray[np.float32]
    """(pieces, 2 descriptors): mean and standard deviation over the frames that are not silent."""
    rows: NDArray[np.int64]
    """The number of each piece's row."""
    starts: NDArray[np.int64]
    """The number of each piece's first frame."""
    frames: int
    """The number of frames of a piece."""


def run_of(seconds: float, window: int, hop: int, rate: int) -> tuple[int, int]:
    """The frames that fit into a time, and those from one piece to the next, which share no audio; window, hop: samples."""
    if not window / rate <= as_float(seconds) < _MOST_FRAMES * hop / rate:
        raise ArgumentError(f"seconds {seconds!r}: expected {window / rate:g}, one window, to {_MOST_FRAMES} frames")
    samples = round(float(seconds) * rate)
    return (samples - window) // hop + 1, max(1, math.ceil(samples / hop))


def read_labels(source: IndexSource, root: str | os.PathLike[str] | None, label: str, group: str, numeric: bool) -> Labelled:
    """Read an index with its labels and groups; refuse what cannot be learnt, and packages that are not there."""
    for module, package in (("sklearn", "scikit-learn"), ("onnx", "onnx"), ("pyarrow", "pyarrow")):
        if find_spec(module) is None:
            raise missing(package, "fitting a head")
    index = read_index(source, root)
    names = [name for name, _ in index.columns]
    if not index.rows:
        raise ArgumentError("the labels have no rows")
    columns = []
    for name in map(stripped, (label, group)):
        if name not in names:
            raise ArgumentError(f"the labels have no column {name!r}, only {', '.join(names) or 'files'}")
        texts = [str(row.others[names.index(name)]).strip() for row in index.rows]
        if empty := [k for k, text in enumerate(texts) if text.lower() in _NOTHING]:
            raise ArgumentError(
                f"{len(empty)} of {len(texts)} rows have no {name!r}, the first is {index.rows[empty[0]].file}: leave them "
                f"out, or, where {texts[empty[0]]!r} is one, write it in another way"
            )
        columns.append(texts)
    owners: dict[Any, str] = {}
    for row, owner in zip(index.rows, columns[1], strict=True):
        if (other := owners.setdefault((row.path, row.start, row.end, row.channel), owner)) != owner:
            raise ArgumentError(
                f"{row.file}: is of two groups ({group} {other!r} and {owner!r}), and one would be learnt from for the other"
            )
    targets: list[Any] = columns[0]
    numbers = [_number(text) for text in targets]
    if numeric:
        if None in numbers:
            wrong = targets[numbers.index(None)]
            raise ArgumentError(f"{label}: {wrong!r} is no number of float32: fit labels without --numeric (numeric=False)")
        if len(set(numbers)) == 1:
            raise ArgumentError(f"{label}: is {numbers[0]:g} in all rows: there is nothing to learn")
        targets = numbers
    elif None not in numbers and len(set(numbers)) > _MOST_LABELS:
        raise ArgumentError(
            f"{label}: has {len(set(numbers))} different numbers: fit a number (--numeric, numeric=True), or write labels"
        )
    labelled = Labelled(index.rows, tuple(targets), tuple(columns[1]), numeric, group)
    labelled.check()
    return labelled


def cut_pieces(
    labelled: Labelled,
    extractor: Extractor,
    reading: Reading,
    seconds: float,
    features: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Pieces:
    """Compute the recordings that are not in the dataset `features` yet, and cut them into pieces of so many seconds.

    Each recording is read whole, so that its level goes on, as live; of a row with start and end there are the pieces
    inside. Those with fewer than half of their frames heard are left out, as nothing is decided there.
    """
    recipe, layout = extractor.recipe(reading), extractor.layout
    window, hop = layout.window / layout.rate, recipe.hop
    frames, step = run_of(seconds, layout.window, round(hop * layout.rate), layout.rate)
    rows = defaultdict(list)
    for number, row in enumerate(labelled.rows):
        rows[unicode_text(row.file), row.channel].append((number, row))  # as Parquet has it
    # Each recording once, whole and without the user's columns: what other labels need too.
    whole = {(row.file, row.channel): Row(row.file, row.path, channel=row.channel) for row in labelled.rows}
    index = Index(tuple(whole.values()), has_channel=any(row.channel is not None for row in labelled.rows))
    columns = Columns.of_index(layout, False, index)
    folder = _cache(index, recipe) if features is None else Path(features)
    dataset = Dataset(folder, replace(recipe, static=False), index, columns, prune=features is None)
    # A package that a recording needs may have been installed since.
    parts = dataset.missing(retry=any("pip install" in failed["reason"] for failed in dataset.failed_rows()))
    done, told = count(len(index.rows) - len(dataset.left(parts)) + 1), progress or (lambda _, __: None)
    jobs = extractor.jobs if jobs is None else jobs
    dataset.run(parts, extractor, reading, jobs, done=lambda *_: told(next(done), len(index.rows)))
    if failed := dataset.failed_rows():
        warn(
            f"{len(failed)} of {len(index.rows)} recordings cannot be read and are left out, the first with "
            f"{failed[0]['file']}: {failed[0]['reason']}"
        )
    found = []
    paths = [folder / part.name for part in dataset.parts]
    for key, matrix, silent in _recordings(paths, columns.values, index.has_channel):
        for number, row in rows[key]:
            first, last = math.ceil(round((row.start or 0) / hop, 6)), len(matrix)
            if first < 0 or (row.end or 0) >= last * hop + window:
                continue  # seconds that are none, as milliseconds are
            if row.end is not None:
                last = min(last, math.floor(round((row.end - window) / hop, 6)) + 1)
            begin = np.arange(first, last - frames + 1, step)
            described, kept = describe(matrix, silent, begin, frames)
            found.append((described, np.full(len(kept), number), kept))
    if not any(len(values) for values, _, _ in found):
        raise ArgumentError("no piece: all rows are shorter than a decision needs, silent, unreadable, or not in a file")
    values, numbers, starts = map(np.concatenate, zip(*found, strict=True))
    return Pieces(values, numbers, starts, frames)


def describe(
    values: NDArray[np.float32], silent: NDArray[np.bool_], begin: NDArray[np.int64], frames: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Mean and standard deviation over the frames that are not silent, as the graph of a head has them.

    From values (all frames, descriptors) and the first frame of each piece: (pieces, 2 descriptors), and the first frame, of
    those pieces of which at least half of the frames are not silent.
    """
    described, kept = [], []
    for at in begin.tolist():
        heard = ~silent[at : at + frames]
        if 2 * np.count_nonzero(heard) >= frames:
            part = values[at : at + frames][heard].astype(np.float64)
            described.append(np.concatenate([part.mean(axis=0), part.std(axis=0)]))
            kept.append(at)
    return np.array(described, np.float32).reshape(len(kept), 2 * values.shape[1]), np.array(kept, np.int64)


def warn(message: str) -> None:
    """Warn the caller of `fit` or `compare`."""
    warnings.warn(message, EdgeVoiceWarning, stacklevel=4)


def _cache(index: Index, recipe: Recipe) -> Path:
    """The dataset in the user's cache folder for the frames of these recordings."""
    files = sorted({absolute(Path(row.path)) for row in index.rows})
    digest = hashlib.sha256(json.dumps([recipe.digest(), files]).encode("utf-8", "surrogatepass")).hexdigest()
    own = {"darwin": ("", "Library/Caches"), "win32": ("LOCALAPPDATA", "AppData/Local")}
    variable, folder = own.get(sys.platform, ("XDG_CACHE_HOME", ".cache"))
    try:
        base = Path(os.environ.get(variable) or Path.home() / folder)
    except RuntimeError:  # a user without a home folder, as in containers
        base = Path(tempfile.gettempdir())
    place = base / "edgevoice" / "features" / f"{recipe.model}-{digest[:24]}.parquet"
    with writing(f"{place}, for frames unless --features (features=) or {variable or 'HOME'} names another folder"):
        place.mkdir(parents=True, exist_ok=True)
    return place


def _recordings(
    parts: Sequence[Path], names: list[str], has_channel: bool
) -> Iterator[tuple[tuple[str, int | None], NDArray[np.float32], NDArray[np.bool_]]]:
    """File and channel, frames, and which are silent, of each recording in parts, which may be too large for memory."""
    from pyarrow import parquet

    def frames(file: Any) -> Iterator[tuple[tuple[str, int | None], NDArray[np.float32], bool]]:
        for batch in file.iter_batches(_BATCH, columns=["file", *["channel"] * has_channel, "silent", *names]):
            channels = batch.column("channel").to_pylist() if has_channel else repeat(None, len(batch))
            values = np.stack([batch.column(name).to_numpy() for name in names], axis=1)
            keys = zip(batch.column("file").to_pylist(), channels, strict=True)
            yield from zip(keys, values, batch.column("silent").to_pylist(), strict=True)

    for part in parts:
        with parquet.ParquetFile(part) as file:
            for key, own in groupby(frames(file), key=lambda one: one[0]):
                _, values, silent = zip(*own, strict=True)
                yield key, np.stack(values), np.array(silent)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= _LARGEST else None
