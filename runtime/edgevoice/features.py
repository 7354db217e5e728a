"""Frames, features (many frames of one source), and their functionals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevoice.audio.samples import is_masked
from edgevoice.errors import ArgumentError, MissingPackageError, missing
from edgevoice.files import unicode_text
from edgevoice.windows import FACTS, Facts, Flag, Number, Whole

if TYPE_CHECKING:
    from edgevoice.config import ModelConfig
    from edgevoice.recipe import Recipe

FUNCTIONALS = ("mean", "std", "skewness", "kurtosis")
DYNAMIC = ("index", "silent", "gap", "loudness")
"""The facts that a table has of each frame."""
STATIC = ("frames", "silent", "gap", "loudness")
"""What a table has of a recording: the number of frames, the shares of silent frames and of gaps, the mean loudness."""

_NUMBERS = 1 << 14
"""How many numbers are computed at a time, so that hours of frames do not exist several times in float64."""

_DEGENERATE = 1e-7
"""A float32 column counts as constant up to this standard deviation, relative to its mean."""


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that belong together: the bottleneck, the errors."""

    name: str
    """An output of the networks, and an attribute of frames and features."""
    count: int
    """The number of columns; 0 where they were not asked for."""

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [f"{self.name}_{k}" for k in range(self.count)]


class Layout(NamedTuple):
    """The columns of a feature matrix, and how positions become seconds."""

    groups: tuple[Group, ...]
    """In the order of the columns."""
    rate: int
    """Sampling rate in which positions count, in hertz."""
    window: int
    """Samples of a window."""

    @classmethod
    def of(cls, config: ModelConfig, descriptors: str = "all") -> Layout:
        """The layout of a model's frames, known before the model is loaded; `descriptors` as in `load`."""
        counts = asdict(config.features).items()
        groups = tuple(Group(name, count if descriptors in ("all", name) else 0) for name, count in counts)
        return cls(groups, config.audio.rate, config.audio.window)

    @property
    def bottleneck(self) -> int:
        """The number of columns of the bottleneck."""
        return sum(group.count for group in self.groups if group.name == "bottleneck")

    @property
    def error(self) -> int:
        """The number of columns of the errors."""
        return sum(group.count for group in self.groups if group.name == "error")

    @property
    def descriptors(self) -> int:
        """The number of columns."""
        return sum(group.count for group in self.groups)

    @property
    def names(self) -> list[str]:
        """Names of the columns: `bottleneck_0` ..., then `error_0` ..."""
        return [name for group in self.groups for name in group.names]

    @property
    def functional_names(self) -> list[str]:
        """Names of the static vector, in DisVoice's order: the four of the bottleneck, then the four of the errors."""
        return [f"{kind}_{name}" for group in self.groups for kind in FUNCTIONALS for name in group.names]

    def columns(self, name: str) -> slice:
        """The columns of a group."""
        start = 0
        for group in self.groups:
            if group.name == name:
                return slice(start, start + group.count)
            start += group.count
        raise KeyError(name)

    def split(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The groups of (..., descriptors) by name, as views; those that were not asked for have no columns."""
        return {group.name: values[..., self.columns(group.name)] for group in self.groups}


class Described(Facts[Whole, Flag, Number]):
    """The descriptors of one window, or of many, beside their facts."""

    values: NDArray[np.float32]
    """(descriptors,) or (frames, descriptors): bottleneck, then errors."""
    layout: Layout

    @property
    def bottleneck(self) -> NDArray[np.float32]:
        """(units,) or (frames, units): a view."""
        return self.values[..., self.layout.columns("bottleneck")]

    @property
    def error(self) -> NDArray[np.float32]:
        """(bands,) or (frames, bands): a view."""
        return self.values[..., self.layout.columns("error")]

    @property
    def start(self) -> Number:
        """Start of the window, in seconds of the source, float64."""
        return self.position / self.layout.rate  # type: ignore[operator, return-value]

    @property
    def end(self) -> Number:
        """End of the window, in seconds of the source, float64."""
        return (self.position + self.layout.window) / self.layout.rate  # type: ignore[operator, return-value]


@dataclass(frozen=True, eq=False, repr=False)
class Frame(Described[int, bool, float]):
    """The descriptors of one window, with its place in time. The array is read-only."""

    values: NDArray[np.float32]
    """(descriptors,): bottleneck, then errors."""
    facts: Any
    """What is known of the window, a structured scalar; every field is also an attribute."""
    layout: Layout

    def __post_init__(self) -> None:
        values = self.values.view()
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def __reduce__(self) -> tuple[Any, ...]:
        # By the constructor: an array that is restored by itself could be written to.
        return type(self), tuple(getattr(self, item.name) for item in fields(self))

    def __repr__(self) -> str:
        flags = ", silent" * self.silent + ", gap" * self.gap
        return f"<{type(self).__name__} {self.index}: {len(self.values)} descriptors to {self.end:g} s{flags}>"

    def fact(self, name: str) -> Any:
        """One of the facts, as Python's own number."""
        return self.facts[name].item()

    def to_dict(self) -> dict[str, Any]:
        """The frame as numbers and lists for JSON. `time` and `latency` are None here; live frames have them."""
        return {**self.place(), **{name: part.tolist() for name, part in self.layout.split(self.values).items()}}

    def place(self) -> dict[str, Any]:
        """Everything except the descriptors, for JSON."""
        known = ("index", "position", "start", "end", "silent", "gap", "loudness")
        return {**{name: getattr(self, name) for name in known}, "time": None, "latency": None}


@dataclass(frozen=True, eq=False, repr=False)
class Features(Described[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]):
    """Frames of one source in time order, as a matrix with names and times. `numpy.asarray` gives the matrix."""

    values: NDArray[np.float32]
    """(frames, descriptors): bottleneck, then errors."""
    facts: NDArray[Any]
    """What is known of the windows, structured (frames,); every field is also an attribute."""
    layout: Layout
    source: str = ""
    """Name of the file; empty for live frames."""
    extent: tuple[float, float] | None = None
    """Start and end of what was read, in seconds; None for live frames."""
    recipe: Recipe | None = None
    """The recipe that describes how they were computed; None for live frames."""

    def __repr__(self) -> str:
        return f"<Features: {len(self)} frames of {self.values.shape[1]} descriptors>"

    @property
    def names(self) -> list[str]:
        """Names of the columns of `values`."""
        return self.layout.names

    @property
    def functional_names(self) -> list[str]:
        """Names of the numbers that `functionals` returns."""
        return self.layout.functional_names

    def functionals(self) -> NDArray[np.float32]:
        """The static vector, float32 (4 x descriptors,), as `functional_names`; an ArgumentError where there is no frame."""
        return np.concatenate([functionals(part) for part in self.layout.split(self.values).values()])

    def summary(self) -> tuple[int, float, float, float]:
        """What a static table says of a recording besides its functionals: see `STATIC`."""
        return len(self), float(self.silent.mean()), float(self.gap.mean()), float(self.loudness.mean())

    def to_pandas(self, *, static: bool = False) -> Any:
        """The features as a `pandas.DataFrame`, indexed by `file`, `start` and `end`, the times as durations.

        Columns: `index`, `silent`, `gap`, `loudness`, then the descriptors; with `static` one row, whose times are those of
        what was read: `frames`, `silent` and `gap` (shares), `loudness` (mean), then the functionals. Descriptors are
        float32, with the bits of `values`. `attrs["recipe"]` is the recipe.

        Raises:
            MissingPackageError: pandas is not installed.
            ArgumentError: there is no frame, with `static`.
        """
        try:
            import pandas  # noqa: ICN001
        except ModuleNotFoundError as error:
            raise missing(error.name or "pandas", "a DataFrame") from error
        if static:
            values, names = self.functionals()[None], self.functional_names
            start, end = self.extent or (self.start[0], self.end[-1])
            head: dict[str, Any] = dict(zip(STATIC, ([fact] for fact in self.summary()), strict=True))
        else:
            values, names, start, end = self.values, self.names, self.start, self.end
            head = {name: np.ascontiguousarray(self.fact(name)) for name in DYNAMIC}
        index = segment_index([self.source] * len(values), np.atleast_1d(start), np.atleast_1d(end))
        table = pandas.concat([pandas.DataFrame(head), pandas.DataFrame(values, columns=names)], axis=1)
        table.index = index
        if self.recipe is not None:
            table.attrs["recipe"] = replace(self.recipe, static=static).to_dict()
        return table

    def _repr_html_(self) -> str | None:
        """HTML for notebooks, where pandas is installed: the first frames."""
        try:
            table = self[:4].to_pandas().to_html(max_cols=12)
        except MissingPackageError:
            return None
        return f"<p>{len(self)} frames of {self.values.shape[1]} descriptors</p>{table}"

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    @overload
    def __getitem__(self, chosen: int | np.integer) -> Frame: ...

    @overload
    def __getitem__(self, chosen: slice | Sequence[int] | Sequence[bool] | NDArray[Any]) -> Features: ...

    def __getitem__(self, chosen: Any) -> Frame | Features:
        """Select frames: one frame for a whole number; features for a slice, a list of numbers, or a mask (frames,)."""
        if hasattr(chosen, "__index__") and np.ndim(chosen) == 0 and np.asarray(chosen).dtype.kind in "iuO":
            # A scalar of its own: a view of the array would change with it.
            return Frame(self.values[chosen], self.facts[chosen].copy(), self.layout)
        if not isinstance(chosen, slice):
            chosen = _selection(chosen, len(self))
        return replace(self, values=self.values[chosen], facts=self.facts[chosen])

    def __iter__(self) -> Iterator[Frame]:
        return (self[k] for k in range(len(self)))

    @classmethod
    def join(cls, blocks: Iterable[Features], layout: Layout) -> Features:
        """Join blocks of frames in order. Each block is released once it is copied, so that nothing is held twice."""
        if isinstance(blocks, list) and len(blocks) == 1:
            return cast("Features", blocks[0])
        buffer = FeatureBuffer(layout)
        for block in blocks:
            buffer.add(block)
        return cls(*buffer.arrays(), layout)


class FeatureBuffer:
    """Collects blocks of frames of one layout in two arrays: small ones for each would fragment the heap."""

    def __init__(self, layout: Layout) -> None:
        self._values, self._facts = np.empty((0, layout.descriptors), np.float32), np.empty(0, FACTS)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, block: Features) -> None:
        """Copy the frames of a block."""
        end = self._count + len(block)
        if end > len(self._values):
            self._resize(max(end, len(self._values) * 3 // 2))
        self._values[self._count : end], self._facts[self._count : end] = block.values, block.facts
        self._count = end

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Values and facts of all blocks; nothing is added afterwards."""
        self._resize(self._count)
        return self._values, self._facts

    def _resize(self, length: int) -> None:
        for array in (self._values, self._facts):
            array.resize((length, *array.shape[1:]), refcheck=False)


def functionals(values: ArrayLike) -> NDArray[np.float32]:
    """Mean, standard deviation, skewness and kurtosis of each column: float32 (4 columns,), functional by functional.

    Population standard deviation, biased skewness m3 / m2^1.5, excess kurtosis m4 / m2^2 - 3, computed in float64. Where
    the variance is at most (1e-7 mean)^2, as with a single frame, skewness and kurtosis are 0.

    Args:
        values: any matrix of numbers (frames, columns).

    Raises:
        ArgumentError: it is no such matrix, or there is no row.
    """
    try:
        matrix = np.asarray(values)
        numbers = matrix.ndim == 2 and matrix.dtype.kind in "fiu" and not is_masked(values)
    except ValueError:  # rows of different lengths
        numbers = False
    if not numbers:
        given = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise ArgumentError(f"functionals of {given}: expected a matrix of numbers (frames, columns), without masks")
    if not len(matrix):
        raise ArgumentError("functionals of no frames: at least one is needed")
    # Few columns at a time would cost more for a short recording than its frames do; eight are the least.
    width = max(8, _NUMBERS // len(matrix) // 8 * 8)
    with np.errstate(all="ignore"):
        parts = [_moments(matrix[:, k : k + width].astype(np.float64)) for k in range(0, matrix.shape[1], width)]
        return np.concatenate(parts, axis=1).ravel().astype(np.float32) if parts else np.empty(0, np.float32)


def segment_index(files: Sequence[str], start: NDArray[np.float64], end: NDArray[np.float64]) -> Any:
    """An index of pandas as audformat has it: `file`, and `start` and `end` from seconds to durations."""
    import pandas  # noqa: ICN001

    durations = [np.rint(1e9 * times).astype("timedelta64[ns]") for times in (start, end)]
    names = pandas.Series([*map(unicode_text, files)], dtype="string")
    return pandas.MultiIndex.from_arrays([names, *durations], names=["file", "start", "end"])


def _selection(chosen: Any, count: int) -> NDArray[Any]:
    """Check whole numbers or a mask."""
    array = np.asarray(chosen)
    if array.shape == (0,):
        return array.astype(np.int64)
    mask = array.dtype == bool and array.shape == (count,)
    if array.ndim != 1 or not (mask or array.dtype.kind in "iu"):
        raise ArgumentError(
            f"{count} frames indexed by {array.dtype} {array.shape}: expected a whole number, a slice, a list of whole "
            f"numbers, or a mask of {count}"
        )
    return array


def _moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The four functionals of each column, (4, columns)."""
    mean = values.mean(axis=0)
    deviation = values - mean
    squared = deviation * deviation
    variance = squared.mean(axis=0)
    constant = variance <= (_DEGENERATE * mean) ** 2
    divisor = np.where(constant, 1, variance)
    skewness = np.where(constant, 0, (squared * deviation).mean(axis=0) / divisor**1.5)
    kurtosis = np.where(constant, 0, (squared * squared).mean(axis=0) / divisor**2 - 3)
    return np.stack([mean, np.sqrt(variance), skewness, kurtosis])
