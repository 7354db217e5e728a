"""From windows to the features of a block: level, spectrogram, encoder, decoder."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import DeviceMemoryError
from edgevoice.features import Features, Layout
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Networks
from edgevoice.windows import Windows


class Analysis(Protocol):
    """Turns windows into features for one stream; owns the stream's buffers."""

    def run(self, windows: Windows) -> Features:
        """Features of some windows, or none if they wait for `finish`."""
        ...

    def finish(self) -> list[Features]:
        """What waited for the end of the source."""
        ...

    def reset(self) -> None:
        """Forget what waits."""
        ...


def describe(networks: Networks, layout: Layout, spectrograms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Descriptors, float32 (n, bottleneck + error), of spectrograms, float32 (n, 1, bands, columns)."""
    bottleneck = networks.encode(spectrograms)
    if not layout.error:
        return bottleneck
    error = networks.error(bottleneck, spectrograms)
    return np.concatenate([bottleneck, error], axis=1) if layout.bottleneck else error


class Apart:
    """Windows that do not depend on each other: computed as they come."""

    def __init__(self, networks: Networks, spectrogram: FrontEnd, layout: Layout, batch: int) -> None:
        self._networks, self._spectrogram, self._layout = networks, spectrogram, layout
        self._scratch = spectrogram.scratch()
        self._images = np.empty((batch, 1, *spectrogram.shape), np.float32)

    def run(self, windows: Windows) -> Features:
        """Features of the windows."""
        images = self._images[: len(windows.samples)]
        self._spectrogram.compute(windows.samples, windows.offset, windows.gain, self._scratch, images[:, 0])
        values = describe(self._networks, self._layout, images)
        return Features(values, windows.number, windows.start, windows.silent, windows.gap, self._layout)

    def finish(self) -> list[Features]:
        """Nothing: no window waits."""
        return []

    def reset(self) -> None:
        """Nothing to forget."""


class Together:
    """Windows whose features depend on all windows of the source: kept until its end, then computed at once."""

    def __init__(self, networks: Networks, spectrogram: FrontEnd, layout: Layout) -> None:
        self._networks, self._spectrogram, self._layout = networks, spectrogram, layout
        self._nothing = layout._replace(bottleneck=0, error=0)
        self._scratch = spectrogram.scratch()
        self.reset()

    def reset(self) -> None:
        """Forget what waits."""
        self._waiting: list[tuple[NDArray[np.float32], Features]] = []

    def run(self, windows: Windows) -> Features:
        """No features yet; the windows' spectrograms wait."""
        images = self._spectrogram.compute(windows.samples, windows.offset, windows.gain, self._scratch)
        nothing = np.empty((len(images), 0), np.float32)
        place = Features(nothing, windows.number, windows.start, windows.silent, windows.gap, self._nothing)
        self._waiting.append((images, place))
        return Features.join([], self._layout)

    def finish(self) -> list[Features]:
        """Features of all windows.

        Raises:
            DeviceMemoryError: they do not fit into memory together.
        """
        if not self._waiting:
            return []
        count = sum(len(images) for images, _ in self._waiting)
        try:
            spectrograms = np.concatenate([images for images, _ in self._waiting])[:, None]
            places = Features.join([place for _, place in self._waiting], self._nothing)
            self.reset()
            values = describe(self._networks, self._layout, spectrograms)
        except MemoryError as error:
            raise DeviceMemoryError(
                f"{count} windows, which this model needs at once, do not fit into memory: use shorter audio"
            ) from error
        return [Features(values, places.index, places.start, places.silent, places.gap, self._layout)]
