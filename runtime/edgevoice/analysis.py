"""From windows to features: level, spectrogram, encoder, decoder; one batch after another, or several at once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevoice.features import Features, Layout
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Networks
from edgevoice.windows import Windows
from edgevoice.workspaces import Workspace, new_workspace

if TYPE_CHECKING:
    from concurrent.futures import Future

_AHEAD = 2
"""Batches per worker that are read ahead, so that no worker waits for the reader."""


class Analysis(Protocol):
    """Turns the windows of one stream into features, in order."""

    def run(self, windows: Windows) -> Features:
        """Take windows; return the features that are ready."""
        ...

    def finish(self) -> Features:
        """The features of all windows that wait."""
        ...

    def reset(self) -> None:
        """Forget the windows that wait."""
        ...


class Pipeline:
    """The computation of windows, without a state: front end, networks, and the choice of their outputs."""

    def __init__(self, networks: Networks, front_end: FrontEnd, layout: Layout, batch: int) -> None:
        self.networks, self.front_end, self.layout, self.batch = networks, front_end, layout, batch

    def workspace(self) -> Workspace:
        """A workspace for one thread and one batch."""
        return new_workspace(self.networks, self.front_end, self.layout, self.batch)

    def features(self, values: NDArray[np.float32], windows: Windows) -> Features:
        """A `Features` object made from the descriptors of windows."""
        return Features(
            values,
            windows.index,
            windows.position,
            windows.silent,
            windows.gap,
            windows.loudness,
            windows.offset,
            windows.gain,
            self.layout,
        )

    def nothing(self) -> Features:
        """A `Features` object without a row."""
        return Features.join([], self.layout)


class Direct:
    """Computes windows at once, in the calling thread."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._workspace = pipeline.workspace()

    def run(self, windows: Windows) -> Features:
        """Compute these windows and return their features."""
        self._workspace.put(0, windows.samples, windows.offset, windows.gain)
        return self._pipeline.features(self._workspace.descriptors(len(windows.samples)), windows)

    def finish(self) -> Features:
        """Return no features: no window ever waits."""
        return self._pipeline.nothing()

    def reset(self) -> None:
        """Do nothing: no window ever waits."""


class Filled:
    """Computes windows in full batches, in the calling thread, however few windows arrive at a time.

    Features come later than from `Direct`, so it is for recordings: a GPU needs hardly longer for 64 windows than for
    16.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._workspace = pipeline.workspace()
        self._waiting: list[Windows] = []  # the windows in the workspace, without their samples
        self._count = 0

    def run(self, windows: Windows) -> Features:
        """Take windows; return the features of all batches that are full."""
        ready, first, count = [], 0, len(windows.samples)
        while first < count:
            part = windows.part(slice(first, min(count, first + self._workspace.size - self._count)))
            self._workspace.put(self._count, part.samples, part.offset, part.gain)
            self._waiting.append(replace(part, samples=part.samples[:0]))
            self._count += len(part.samples)
            first += len(part.samples)
            if self._count == self._workspace.size:
                ready.append(self.finish())
        return Features.join(ready, self._pipeline.layout)

    def finish(self) -> Features:
        """Compute the windows that wait, and return their features."""
        if not self._count:
            return self._pipeline.nothing()
        waiting, values, first = self._waiting, self._workspace.descriptors(self._count), 0
        self.reset()
        blocks = []
        for windows in waiting:
            last = first + len(windows.index)
            blocks.append(self._pipeline.features(values[first:last], windows))
            first = last
        return Features.join(blocks, self._pipeline.layout)

    def reset(self) -> None:
        """Forget the windows that wait."""
        self._waiting, self._count = [], 0


class Concurrent:
    """Computes batches of windows in several threads at once; the features are in order, with the bits of `Direct`.

    The calling thread is one of the workers: it brings batches, and computes when enough wait. A context manager: the
    other threads have ended when it has.

    Args:
        pipeline: what computes.
        workers: how many batches are computed at the same time, 2 or more.
    """

    def __init__(self, pipeline: Pipeline, workers: int) -> None:
        from concurrent.futures import Future, ThreadPoolExecutor  # loaded here: a live program does not need it

        self._pipeline, self._most = pipeline, _AHEAD * workers
        self._new_future: type[Future[Features]] = Future
        self._pool = ThreadPoolExecutor(workers - 1, "edgevoice extract")
        self._pending: deque[_Batch] = deque()
        self._idle: SimpleQueue[Direct] = SimpleQueue()  # buffers, for whichever thread takes the next batch

    def __enter__(self) -> Concurrent:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, windows: Windows) -> Features:
        """Take windows; return the features of the oldest batches as soon as enough batches wait.

        Raises:
            EdgeVoiceError: whatever computing the oldest ones raised.
        """
        # The windower overwrites the samples later.
        windows = replace(windows, samples=windows.samples.copy())
        self._pending.append(_Batch(windows, self._pool.submit(self._compute, windows)))
        ready = []
        while len(self._pending) > self._most or (self._pending and self._pending[0].future.done()):
            ready.append(self._oldest())
        return Features.join(ready, self._pipeline.layout)

    def finish(self) -> Features:
        """Wait for all batches, and return their features."""
        return Features.join((self._oldest() for _ in range(len(self._pending))), self._pipeline.layout)

    def reset(self) -> None:
        """Forget the windows that wait."""
        self._pending.clear()

    def _oldest(self) -> Features:
        """Return the features of the oldest batch.

        While another thread computes it, this thread computes other batches.
        """
        oldest = self._pending[0]
        while not oldest.future.done() and self._help():
            pass
        self._pending.popleft()
        return oldest.future.result()

    def _help(self) -> bool:
        """Compute, in this thread, a batch that no thread has begun. Returns False where there is none."""
        for batch in self._pending:
            if batch.future.cancel():
                batch.future = self._new_future()
                batch.future.set_result(self._compute(batch.windows))
                return True
        return False

    def _compute(self, windows: Windows) -> Features:
        try:
            direct = self._idle.get_nowait()
        except Empty:
            direct = Direct(self._pipeline)
        try:
            return direct.run(windows)
        finally:
            self._idle.put(direct)


@dataclass(slots=True)
class _Batch:
    """One batch of windows, and the features that were computed from it."""

    windows: Windows
    future: Future[Features]
