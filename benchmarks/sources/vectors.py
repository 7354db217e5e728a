"""What a source of vectors is, and vectors of many recordings, kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Progress = Callable[[Sequence[str]], Iterable[str]]


class Source(Protocol):
    """A way to turn a recording into a vector."""

    name: str
    origin: str
    """What it was trained on; empty where it was not trained."""

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        ...

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (dimensions,)."""
        ...


class Named:
    """Another source under another name."""

    def __init__(self, name: str, source: Any) -> None:
        self.name, self._source = name, source
        self.origin = source.origin

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        return str(self._source.key)

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording."""
        return np.asarray(self._source(path), np.float32)


def vectors_by_folder(source: Source, folder: Path, files: Sequence[str], cache: Path, progress: Progress = iter) -> Vector:
    """Vectors of some recordings of a folder: (files, dimensions).

    They are kept in a cache folder, subfolder by subfolder, so that a run that was stopped loses little.

    Args:
        source: how vectors are made.
        folder: of the recordings.
        files: paths in it, the files of one subfolder beside each other.
        cache: folder to keep vectors in.
        progress: wraps the list of files while their vectors are made.

    Raises:
        ValueError: a vector has NaN or infinity.
    """
    groups: dict[str, list[str]] = {}
    for file in files:
        groups.setdefault(Path(file).parent.as_posix(), []).append(file)
    done, made = iter(progress(files)), []
    for group in groups.values():
        kept = cache / f"{hashlib.sha256(repr((source.key, folder, group)).encode()).hexdigest()[:24]}.npy"
        if not kept.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            np.save(kept, np.stack([source(folder / name) for name in group]))
        made.append(np.load(kept))
        for _ in group:
            next(done)
    for _ in done:  # lets the bar reach its end
        pass
    rows = np.concatenate(made)
    if not np.isfinite(rows).all():
        raise ValueError(f"{source.name}: NaN or infinity in the vectors of {folder}")
    return rows
