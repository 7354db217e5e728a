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
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.folders import absolute
from edgevoice.corpus.index import Index, IndexSource, Row, read_index
from edgevoice.corpus.rows import Columns
from edgevoice.errors import ArgumentError, EdgeVoiceWarning
from edgevoice.extraction import Reading
from edgevoice.extractor import Extractor
from edgevoice.recipe import Recipe

Progress = Callable[[int, int], object]
"""Called with the number of recordings that are done, and of all."""

_MOST_LABELS = 10
"""More distinct numbers than these are hardly labels."""
_BATCH = 1 << 14
_MOST_FRAMES = 100_000
_NOTHING = ("", "nan", "nat", "none", "null", "<na>")


class Labelled(NamedTuple):
    """The rows of an index with what is known of them."""

    rows: tuple[Row, ...]
    targets: tuple[str, ...] | tuple[float, ...]
    groups: tuple[str, ...]

    @property
    def recordings(self) -> Index:
        """Each recording once, whole and without the user's columns: what other labels need too."""
        rows = {(row.path, row.channel): Row(row.file, row.path, channel=row.channel) for row in self.rows}
        return Index(tuple(rows.values()), has_channel=any(row.channel is not None for row in rows.values()))


class Pieces(NamedTuple):
    """What is fitted on."""

    values: NDArray[np.float32]
    """(pieces, 2 descriptors): mean and standard deviation over the frames that are not silent."""
    rows: NDArray[np.int64]
    """The number of each piece's row."""
    starts: NDArray[np.int64]
    """The number of each piece's first frame."""


class Run(NamedTuple):
    """The frames that are judged together."""

    frames: int
    step: int
    """Frames from one piece to the next, so that they share no audio."""

    @classmethod
    def of(cls, seconds: float, window: int, hop: int, rate: int) -> Run:
        """The frames that fit into a time, of windows and hops in samples.

        Raises:
            ArgumentError: no window fits, or too many.
        """
        if not (isinstance(seconds, int | float) and window / rate <= seconds < _MOST_FRAMES * hop / rate):
            least = f"{window / rate:g}"
            raise ArgumentError(f"seconds {seconds!r}: expected a number from {least}, one window, to {_MOST_FRAMES} frames")
        samples = round(seconds * rate)
        return cls((samples - window) // hop + 1, max(1, math.ceil(samples / hop)))


def read_labels(source: IndexSource, root: str | os.PathLike[str] | None, label: str, group: str, numeric: bool) -> Labelled:
    """Read an index with its labels and groups.

    Raises:
        ArgumentError: a column is missing; a cell is empty; there are numbers that are no labels, or the reverse.
    """
    index = read_index(source, root)
    names = [name for name, _ in index.columns]
    for name in (label, group):
        if name not in names:
            raise ArgumentError(f"the labels have no column {name!r}, only {', '.join(names) or 'files'}")
    if label == group:
        raise ArgumentError(f"label and group are both {label!r}: a group is what must not be in training and test at once")
    columns = []
    for name in (label, group):
        cells = [row.others[names.index(name)] for row in index.rows]
        texts = ["" if cell is None else str(cell).strip() for cell in cells]
        empty = [row.file for row, text in zip(index.rows, texts, strict=True) if text.lower() in _NOTHING]
        if empty:
            raise ArgumentError(
                f"{len(empty)} of {len(texts)} rows have no {name!r}, the first is {empty[0]}: leave them out"
            )
        columns.append(texts)
    if not columns[0]:
        raise ArgumentError("the labels have no rows")
    numbers = [_number(text) for text in columns[0]]
    wrong = [text for text, number in zip(columns[0], numbers, strict=True) if number is None]
    if numeric:
        if wrong:
            raise ArgumentError(f"{label}: {wrong[0]!r} is no finite number: fit labels without --numeric (numeric=False)")
        found = [number for number in numbers if number is not None]
        if len(set(found)) == 1:
            raise ArgumentError(f"{label}: is {found[0]:g} in all rows: there is nothing to learn")
        return Labelled(index.rows, tuple(found), tuple(columns[1]))
    if not wrong and len(set(numbers)) > _MOST_LABELS:
        raise ArgumentError(
            f"{label}: has {len(set(numbers))} different numbers: fit a number (--numeric, numeric=True), or write labels"
        )
    return Labelled(index.rows, tuple(columns[0]), tuple(columns[1]))


def cut_pieces(
    labelled: Labelled,
    extractor: Extractor,
    reading: Reading,
    run: Run,
    features: str | os.PathLike[str] | None,
    jobs: int | None,
    progress: Progress | None,
) -> Pieces:
    """Compute the recordings that are not in the dataset `features` yet, and cut them into pieces.

    Each recording is read whole, so that its level goes on, as live; of a row with start and end there are the pieces
    inside. Those with fewer than half of their frames heard are left out, as nothing is decided there.
    """
    rows = defaultdict(list)
    for k, row in enumerate(labelled.rows):
        rows[row.file, row.channel].append((k, row))
    recipe = extractor.recipe(reading)
    folder, prune = (cache_folder(labelled, recipe), True) if features is None else (Path(features), False)
    values: list[NDArray[np.float32]] = []
    owners: list[NDArray[np.int64]] = []
    starts: list[NDArray[np.int64]] = []
    hop = recipe.hop
    for key, matrix, silent in _recordings(labelled.recordings, extractor, reading, folder, prune, jobs, progress):
        for number, row in rows[key]:
            first = math.ceil(round((row.start or 0) / hop, 6))
            last = len(matrix)
            if row.end is not None:
                window = extractor.layout.window / extractor.layout.rate
                last = min(last, math.floor(round((row.end - window) / hop, 6)) + 1)
            begin = np.arange(first, last - run.frames + 1, run.step)
            described, enough = describe(matrix, silent, begin, run.frames)
            values.append(described[enough])
            starts.append(begin[enough])
            owners.append(np.full(int(enough.sum()), number))
    if not any(map(len, values)):
        raise ArgumentError("no piece: all recordings are shorter than a decision needs, silent, or unreadable")
    return Pieces(np.concatenate(values), np.concatenate(owners), np.concatenate(starts))


def describe(
    values: NDArray[np.float32], silent: NDArray[np.bool_], begin: NDArray[np.int64], frames: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Mean and standard deviation over the frames that are not silent, as the graph of a head has them.

    Args:
        values: (all frames, descriptors).
        silent: (all frames,).
        begin: the first frame of each piece: (pieces,).
        frames: of a piece.

    Returns:
        (pieces, 2 descriptors), and whether at least half of the frames are not silent.
    """
    result = np.empty((len(begin), 2 * values.shape[1]), np.float32)
    enough = np.empty(len(begin), np.bool_)
    for k, at in enumerate(begin):
        heard = ~silent[at : at + frames]
        enough[k] = 2 * np.count_nonzero(heard) >= frames
        part = values[at : at + frames][heard].astype(np.float64) if heard.any() else np.zeros((1, values.shape[1]))
        result[k] = np.concatenate([part.mean(axis=0), part.std(axis=0)])
    return result, enough


def cache_folder(labelled: Labelled, recipe: Recipe) -> Path:
    """The dataset in the user's cache folder for the frames of these recordings."""
    files = sorted({absolute(Path(row.path)) for row in labelled.rows})
    digest = hashlib.sha256(json.dumps([recipe.digest(), files]).encode("utf-8", "surrogatepass")).hexdigest()
    try:
        if sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        elif os.name == "nt":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home folder, as in containers
        base = Path(tempfile.gettempdir())
    return base / "edgevoice" / "features" / f"{recipe.model}-{digest[:24]}.parquet"


def _recordings(
    index: Index,
    extractor: Extractor,
    reading: Reading,
    folder: Path,
    prune: bool,
    jobs: int | None,
    progress: Progress | None,
) -> Iterator[tuple[tuple[str, int | None], NDArray[np.float32], NDArray[np.bool_]]]:
    """File and channel, frames, and which are silent, of each recording that can be read."""
    from pyarrow import parquet

    from edgevoice.corpus.dataset import Dataset

    columns = Columns.of_index(extractor.layout, False, index, False)
    dataset = Dataset(folder, replace(extractor.recipe(reading), static=False), index, columns, prune)
    missing = dataset.missing()
    done = len(index.rows) - sum(len(part.rows) for part in missing)

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, len(index.rows))

    dataset.run(missing, extractor, reading, extractor.jobs if jobs is None else jobs, done=count)
    failed = dataset.failed_rows()
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(index.rows)} recordings cannot be read and are left out, the first with "
            f"{failed[0]['file']}: {failed[0]['reason']}",
            EdgeVoiceWarning,
            stacklevel=2,
        )
    wanted = ["file", *["channel"] * index.has_channel, "silent", *columns.values]
    for part in dataset.parts:
        key: tuple[str, int | None] | None = None
        blocks: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []
        with parquet.ParquetFile(folder / part.name) as file:
            for batch in file.iter_batches(_BATCH, columns=wanted):
                keys = list(
                    zip(
                        batch.column("file").to_pylist(),
                        batch.column("channel").to_pylist() if index.has_channel else [None] * len(batch),
                        strict=True,
                    )
                )
                silent = batch.column("silent").to_numpy(zero_copy_only=False)
                values = np.stack([batch.column(name).to_numpy() for name in columns.values], axis=1)
                ends = [k for k in range(1, len(keys)) if keys[k] != keys[k - 1]]
                for begin, end in zip([0, *ends], [*ends, len(keys)], strict=True):
                    if keys[begin] != key:
                        if key is not None:
                            yield key, *_together(blocks)
                        key, blocks = keys[begin], []
                    blocks.append((values[begin:end], silent[begin:end]))
        if key is not None:
            yield key, *_together(blocks)


def _together(
    blocks: list[tuple[NDArray[np.float32], NDArray[np.bool_]]],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return np.concatenate([values for values, _ in blocks]), np.concatenate([silent for _, silent in blocks])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
