"""Frames, features (many frames of one source), and their functionals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, cast, overload

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.recipe import Recipe

FUNCTIONALS = ("mean", "std", "skewness", "kurtosis")

_NUMBERS = 1 << 14
"""How many numbers are computed at a time, so that hours of frames do not exist several times in float64."""

_SHOWN = 4
"""How many frames, and numbers of each, a notebook shows."""

_DEGENERATE = 1e-7
"""A float32 column counts as constant up to this standard deviation, relative to its mean."""


class Layout(NamedTuple):
    """The columns of a feature matrix, and how positions become seconds."""

    bottleneck: int
    """Columns of the bottleneck, which come first; 0 where it was not asked for."""
    error: int
    """Columns of the errors, one per band; 0 where they were not asked for."""
    rate: int
    """Sampling rate in which positions count, in hertz."""
    window: int
    """Samples of a window."""

    @property
    def names(self) -> list[str]:
        """Names of the columns: `bottleneck_0` ..., then `error_0` ..."""
        return [*self._group("bottleneck"), *self._group("error")]

    @property
    def functional_names(self) -> list[str]:
        """Names of the static vector, in DisVoice's order: the four of the bottleneck, then the four of the errors."""
        return [
            f"{functional}_{name}"
            for group in ("bottleneck", "error")
            for functional in FUNCTIONALS
            for name in self._group(group)
        ]

    def _group(self, group: str) -> list[str]:
        return [f"{group}_{k}" for k in range(getattr(self, group))]


@dataclass(frozen=True, eq=False, repr=False)
class Frame:
    """The descriptors of one window, with its place in time. The array is read-only."""

    index: int
    """Number of the window, counted from 0 where reading began; lost windows count too."""
    values: NDArray[np.float32]
    """(descriptors,): bottleneck, then errors."""
    position: int
    """Position of the first sample of the window, in samples at the model's rate, including lost samples."""
    silent: bool
    """Whether the window's peak, after its offset is subtracted, is below one step of 16-bit audio."""
    gap: bool
    """Whether some of the window's samples were lost; zeros replace them."""
    loudness: float
    """Root mean square of the window before any gain, in dB of full scale; -200 for digital silence."""
    offset: float
    """The offset that the level subtracted from the samples."""
    gain: float
    """The gain by which the level then multiplied them."""
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

    @property
    def bottleneck(self) -> NDArray[np.float32]:
        """(units,): a view."""
        return self.values[: self.layout.bottleneck]

    @property
    def error(self) -> NDArray[np.float32]:
        """(bands,): a view."""
        return self.values[self.layout.bottleneck :]

    @property
    def start(self) -> float:
        """Start of the window, in seconds of the source."""
        return self.position / self.layout.rate

    @property
    def end(self) -> float:
        """End of the window, in seconds of the source."""
        return (self.position + self.layout.window) / self.layout.rate

    def to_dict(self) -> dict[str, Any]:
        """The frame as numbers and lists for JSON. `time` and `latency` are None here; live frames have them."""
        return {**self.place(), "bottleneck": self.bottleneck.tolist(), "error": self.error.tolist()}

    def place(self) -> dict[str, Any]:
        """Everything except the descriptors, for JSON."""
        return {
            "index": self.index,
            "position": self.position,
            "start": self.start,
            "end": self.end,
            "silent": self.silent,
            "gap": self.gap,
            "loudness": self.loudness,
            "time": None,
            "latency": None,
        }


@dataclass(frozen=True, eq=False, repr=False)
class Features:
    """Frames of one source in time order, as a matrix with names and times. `numpy.asarray` gives the matrix."""

    values: NDArray[np.float32]
    """(frames, descriptors): bottleneck, then errors."""
    index: NDArray[np.int64]
    """(frames,): numbers of the windows, counted from 0 where reading began; lost windows count too."""
    position: NDArray[np.int64]
    """(frames,): positions of the windows' first samples, in samples at the model's rate."""
    silent: NDArray[np.bool_]
    """(frames,): whether the peak, after the offset is subtracted, is below one step of 16-bit audio."""
    gap: NDArray[np.bool_]
    """(frames,): whether the window contains lost samples."""
    loudness: NDArray[np.float64]
    """(frames,): root mean square before any gain, in dB of full scale; -200 for digital silence."""
    offset: NDArray[np.float64]
    """(frames,): offsets that the level subtracted from the samples."""
    gain: NDArray[np.float64]
    """(frames,): gains by which the level then multiplied them."""
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
    def bottleneck(self) -> NDArray[np.float32]:
        """(frames, units): a view."""
        return self.values[:, : self.layout.bottleneck]

    @property
    def error(self) -> NDArray[np.float32]:
        """(frames, bands): a view."""
        return self.values[:, self.layout.bottleneck :]

    @property
    def names(self) -> list[str]:
        """Names of the columns of `values`."""
        return self.layout.names

    @property
    def start(self) -> NDArray[np.float64]:
        """(frames,): starts of the windows, in seconds of the source."""
        return self.position / self.layout.rate

    @property
    def end(self) -> NDArray[np.float64]:
        """(frames,): ends of the windows, in seconds of the source."""
        return (self.position + self.layout.window) / self.layout.rate

    @property
    def functional_names(self) -> list[str]:
        """Names of the numbers that `functionals` returns."""
        return self.layout.functional_names

    def functionals(self) -> NDArray[np.float32]:
        """The static vector, float32 (4 x descriptors,): see `functional_names` for the order.

        Raises:
            ArgumentError: there is no frame.
        """
        return np.concatenate([functionals(self.bottleneck), functionals(self.error)])

    def to_frame(self, *, static: bool = False) -> Any:
        """The features as a `pandas.DataFrame`, indexed by `file`, `start` and `end`, the times as durations.

        Columns: `index`, `silent`, `gap`, `loudness`, then the descriptors; with `static` one row, whose times are those of
        what was read: `frames`, `silent` and `gap` (shares), `loudness` (mean), then the functionals. The numbers are
        float32, with the bits of `values`. `attrs["recipe"]` is the recipe.

        Raises:
            MissingPackageError: pandas is not installed.
            ArgumentError: there is no frame, with `static`.
        """
        from edgevoice.corpus.table import features_frame

        return features_frame(self, static)

    def plot(self) -> Figure:
        """Bottleneck and error over time, as a matplotlib figure; a notebook shows it.

        The bottleneck is drawn in standard deviations from the mean of these frames, the error as its logarithm.
        `edgevoice plot` draws a recording with its waveform and its spectrograms.

        Raises:
            ArgumentError: there is no frame.
            MissingPackageError: matplotlib is not installed.
        """
        from edgevoice.plotting.comparison import draw_comparison

        return draw_comparison([(self.source, self)], self.recipe.model if self.recipe else "")

    def _repr_html_(self) -> str:
        """HTML for notebooks: the number of frames, and the first of them."""
        told = f"{len(self)} frames of {self.values.shape[1]} descriptors"
        numbers = self.names[:_SHOWN]
        titles = ["start, s", "end, s", "loudness, dB", "silent", "gap", *numbers]
        lines = []
        for frame in self[:_SHOWN]:
            place = [f"{frame.start:.2f}", f"{frame.end:.2f}", f"{frame.loudness:.1f}", str(frame.silent), str(frame.gap)]
            lines.append([*place, *(f"{value:.4g}" for value in frame.values[:_SHOWN])])
        head = "".join(f"<th>{title}</th>" for title in titles)
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines)
        name = f"{escape(self.source)}: " if self.source else ""
        return f"<p>{name}{told}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

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
        if hasattr(chosen, "__index__") and np.ndim(chosen) == 0:
            columns = {name: getattr(self, name)[chosen] for name in _COLUMN_NAMES}
            values = columns.pop("values")
            return Frame(values=values, **{name: value.item() for name, value in columns.items()}, layout=self.layout)
        if not isinstance(chosen, slice):
            chosen = _selection(chosen, len(self))
        return replace(self, **{name: getattr(self, name)[chosen] for name in _COLUMN_NAMES})

    def __iter__(self) -> Iterator[Frame]:
        return (self[k] for k in range(len(self)))

    @classmethod
    def join(cls, blocks: Iterable[Features], layout: Layout) -> Features:
        """Join blocks of frames in order. Each block is released once it is copied, so that nothing is held twice."""
        if isinstance(blocks, list) and len(blocks) == 1:
            return cast("Features", blocks[0])
        # Columns are over-allocated and resized together: small arrays kept for each block would fragment the heap
        # (0.5 GB in ten hours).
        columns = _empty(layout)
        count = 0
        for block in blocks:
            end, room = count + len(block), len(columns["values"])
            if end > room:
                _resize(columns, max(end, room * 3 // 2))
            for name, column in columns.items():
                column[count:end] = getattr(block, name)
            count = end
        _resize(columns, count)
        return cls(**columns, layout=layout)  # type: ignore[arg-type]


_COLUMN_NAMES = [item.name for item in fields(Features) if item.name not in {"layout", "source", "extent", "recipe"}]
_TYPES = {"index": np.int64, "position": np.int64, "silent": np.bool_, "gap": np.bool_}


def functionals(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Mean, standard deviation, skewness and kurtosis of each column: float32 (4 columns,), functional by functional.

    Population standard deviation, biased skewness m3 / m2^1.5, excess kurtosis m4 / m2^2 - 3, computed in float64. Where
    the variance is at most (1e-7 mean)^2, as with a single frame, skewness and kurtosis are 0.

    Args:
        values: any matrix (frames, columns).

    Raises:
        ArgumentError: there is no row.
    """
    if not len(values):
        raise ArgumentError("functionals of no frames: at least one is needed")
    # Few columns at a time would cost more for a short recording than its frames do; eight are the least.
    width = max(8, _NUMBERS // len(values) // 8 * 8)
    parts = [_moments(values[:, k : k + width].astype(np.float64)) for k in range(0, values.shape[1], width)]
    return np.concatenate(parts, axis=1).ravel().astype(np.float32) if parts else np.empty(0, np.float32)


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


def _empty(layout: Layout) -> dict[str, NDArray[Any]]:
    values = np.empty((0, layout.bottleneck + layout.error), np.float32)
    return {"values": values, **{name: np.empty(0, _TYPES.get(name, np.float64)) for name in _COLUMN_NAMES[1:]}}


def _resize(columns: dict[str, NDArray[Any]], length: int) -> None:
    for column in columns.values():
        column.resize((length, *column.shape[1:]), refcheck=False)


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
