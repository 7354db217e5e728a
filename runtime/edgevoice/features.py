"""Frames, and the features that they make up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast, overload

import numpy as np
from numpy.typing import NDArray

from edgevoice.functionals import FUNCTIONALS, compute_functionals


class Layout(NamedTuple):
    """What the columns of a feature matrix are, and how positions become seconds."""

    bottleneck: int
    """Columns of the bottleneck, which come first; 0 where they were not asked for."""
    error: int
    """Columns of the errors, one a band; 0 where they were not asked for."""
    rate: int
    """Sampling rate that positions count in, in hertz."""
    window: int
    """Samples of a window."""

    @property
    def names(self) -> list[str]:
        """Names of the columns: `bottleneck_0` ..., then `error_0` ..."""
        return [*self._of("bottleneck"), *self._of("error")]

    @property
    def functional_names(self) -> list[str]:
        """Names of the static vector, in DisVoice's order: the four of the bottleneck, then the four of the errors."""
        return [
            f"{functional}_{name}"
            for group in ("bottleneck", "error")
            for functional in FUNCTIONALS
            for name in self._of(group)
        ]

    def _of(self, group: str) -> list[str]:
        return [f"{group}_{k}" for k in range(getattr(self, group))]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frame:
    """The descriptors of one window, with its place in time."""

    index: int
    """Number of the window, from 0 where reading began; lost windows are counted too."""
    values: NDArray[np.float32]
    """(descriptors,): bottleneck, then errors."""
    start: int
    """First sample of the window, at the model's rate, lost samples included."""
    silent: bool
    """The window's peak, its offset taken off, is below one step of 16-bit audio."""
    gap: bool
    """Some of the window's samples were lost and stand as zeros."""
    layout: Layout
    time: float | None = None
    """Live: wall clock, in seconds since the epoch, at which the window's last sample was captured."""
    latency: float | None = None
    """Live: seconds from the capture of the window's last sample to the delivery of this frame."""

    def __repr__(self) -> str:
        flags = ", silent" * self.silent + ", gap" * self.gap
        return f"<Frame {self.index}: {len(self.values)} descriptors to {self.seconds:g} s{flags}>"

    @property
    def bottleneck(self) -> NDArray[np.float32]:
        """(units,): a view."""
        return self.values[: self.layout.bottleneck]

    @property
    def error(self) -> NDArray[np.float32]:
        """(bands,): a view."""
        return self.values[self.layout.bottleneck :]

    @property
    def end(self) -> int:
        """Sample after the window's last, at the model's rate."""
        return self.start + self.layout.window

    @property
    def seconds(self) -> float:
        """End of the window, in seconds of the source."""
        return self.end / self.layout.rate


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Features:
    """Frames of one source in time order, as a matrix with names and times."""

    values: NDArray[np.float32]
    """(frames, descriptors): bottleneck, then errors."""
    index: NDArray[np.int64]
    """(frames,): numbers of the windows, from 0 where reading began; lost windows are counted too."""
    start: NDArray[np.int64]
    """(frames,): first samples of the windows, at the model's rate."""
    silent: NDArray[np.bool_]
    """(frames,): peak, the offset taken off, below one step of 16-bit audio."""
    gap: NDArray[np.bool_]
    """(frames,): touches lost samples."""
    layout: Layout

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
    def end(self) -> NDArray[np.int64]:
        """(frames,): samples after the windows' last."""
        return self.start + self.layout.window

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(frames,): ends of the windows, in seconds of the source."""
        return self.end / self.layout.rate

    @property
    def functional_names(self) -> list[str]:
        """Names of what `functionals` returns."""
        return self.layout.functional_names

    def functionals(self) -> NDArray[np.float32]:
        """The static vector, float32 (4 x descriptors,): see `functional_names` for the order.

        Raises:
            ArgumentError: there is no frame.
        """
        return np.concatenate([compute_functionals(self.bottleneck), compute_functionals(self.error)])

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> Features: ...

    def __getitem__(self, index: int | slice) -> Frame | Features:
        parts = (self.values[index], self.index[index], self.start[index], self.silent[index], self.gap[index])
        if isinstance(index, slice):
            return Features(*parts, self.layout)
        values, number, start, silent, gap = parts
        return Frame(int(number), values, int(start), bool(silent), bool(gap), self.layout)

    def __iter__(self) -> Iterator[Frame]:
        return (self[k] for k in range(len(self)))

    def moved(self, samples: int) -> Features:
        """The same frames, positions counted from `samples` before."""
        return replace(self, start=self.start + samples)

    @classmethod
    def join(cls, blocks: Iterable[Features], layout: Layout) -> Features:
        """The frames of several blocks, in order; blocks are let go as they come, so that nothing is held twice."""
        if isinstance(blocks, list) and len(blocks) == 1:
            return cast("Features", blocks[0])
        # Columns grow in place, seldom and together. Small arrays kept from every block would lie between the large ones
        # that come and go with it, and keep the allocator from using their room again: half a gigabyte in ten hours.
        width, count = layout.bottleneck + layout.error, 0
        columns: dict[str, NDArray[Any]] = {
            "values": np.empty((0, width), np.float32),
            "index": np.empty(0, np.int64),
            "start": np.empty(0, np.int64),
            "silent": np.empty(0, np.bool_),
            "gap": np.empty(0, np.bool_),
        }
        for block in blocks:
            end, room = count + len(block), len(columns["values"])
            if end > room:
                _resize(columns, max(end, room * 3 // 2))
            for name, column in columns.items():
                column[count:end] = getattr(block, name)
            count = end
        _resize(columns, count)
        return cls(**columns, layout=layout)


def _resize(columns: dict[str, NDArray[Any]], length: int) -> None:
    for column in columns.values():
        column.resize((length, *column.shape[1:]), refcheck=False)
