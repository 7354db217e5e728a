"""Workspaces: front end, encoder and decoder with the buffers of one thread.

Windows are put into a workspace at their level; its methods then return what is needed. `HostWorkspace` computes
spectrograms in NumPy. `DeviceWorkspace` copies samples to a device, and only requested outputs back: spectrograms, codes
and errors stay there, in buffers that are bound to the networks once.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevoice.features import Layout
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Array, Networks


class Workspace(Protocol):
    """Computes windows for one thread. Returned arrays are always new."""

    size: int
    """The largest number of windows at a time."""

    def put(self, first: int, windows: NDArray[np.float32], offset: ArrayLike = 0.0, gain: ArrayLike = 1.0) -> None:
        """Write windows (n, window) to the places from `first` on, at their level: (x - offset) gain."""
        ...

    def spectrograms(self, count: int) -> Array:
        """Spectrograms of the first windows, float32 (count, bands, columns)."""
        ...

    def bottleneck(self, count: int) -> Array:
        """Codes of the first windows, float32 (count, units)."""
        ...

    def reconstructions(self, count: int) -> Array:
        """Decode codes to standardised spectrograms: float32 (count, bands, columns)."""
        ...

    def descriptors(self, count: int) -> Array:
        """Descriptors of the first windows, float32 (count, bottleneck + error), as the layout names them."""
        ...


def new_workspace(networks: Networks, front_end: FrontEnd, layout: Layout, size: int) -> Workspace:
    """Make a workspace for so many windows; it is on the device where the networks have a front end there."""
    if networks.on_device:
        return DeviceWorkspace(networks, layout, size)
    return HostWorkspace(networks, front_end, layout, size)


class HostWorkspace:
    """Computes spectrograms in NumPy, and passes them to the networks from main memory, whatever device these use."""

    def __init__(self, networks: Networks, front_end: FrontEnd, layout: Layout, size: int) -> None:
        self.size = size
        self._networks, self._front_end, self._layout = networks, front_end, layout
        self._scratch = front_end.scratch()
        self._images = np.empty((size, 1, *front_end.shape), np.float32)

    def put(self, first: int, windows: NDArray[np.float32], offset: ArrayLike = 0.0, gain: ArrayLike = 1.0) -> None:
        """Compute spectrograms of the windows."""
        images = self._images[first : first + len(windows), 0]
        self._front_end.compute(windows, offset, gain, self._scratch, images)

    def spectrograms(self, count: int) -> Array:
        """A copy of the spectrograms."""
        return self._images[:count, 0].copy()

    def bottleneck(self, count: int) -> Array:
        """Run the encoder."""
        return self._networks.encode(self._images[:count])

    def reconstructions(self, count: int) -> Array:
        """Run encoder and decoder."""
        return self._networks.reconstruct(self.bottleneck(count), self._images[:count])[:, 0]

    def descriptors(self, count: int) -> Array:
        """Run the encoder and, where errors are wanted, the decoder."""
        bottleneck = self.bottleneck(count)
        if not self._layout.error:
            return bottleneck
        error = self._networks.error(bottleneck, self._images[:count])
        return np.concatenate([bottleneck, error], axis=1) if self._layout.bottleneck else error


class DeviceWorkspace:
    """Front end and networks on a device, bound to buffers there; each batch size that is used has its own buffers."""

    def __init__(self, networks: Networks, layout: Layout, size: int) -> None:
        self.size = size
        self._networks, self._layout = networks, layout
        self._samples = np.zeros((size, networks.window), np.float32)
        self._exact = np.empty(networks.window)
        self._chains: dict[int, Any] = {}

    def put(self, first: int, windows: NDArray[np.float32], offset: ArrayLike = 0.0, gain: ArrayLike = 1.0) -> None:
        """Scale the samples in float64, as everywhere, and round them to float32."""
        rows = self._samples[first : first + len(windows)]
        if np.isscalar(offset) and np.isscalar(gain) and (offset, gain) == (0.0, 1.0):
            np.copyto(rows, windows)
            return
        offsets, gains = (np.broadcast_to(values, len(windows)).tolist() for values in (offset, gain))
        for row, window, minus, times in zip(rows, windows, offsets, gains, strict=True):
            np.subtract(window, minus, out=self._exact, dtype=np.float64)
            np.multiply(self._exact, times, out=row, casting="same_kind")

    def spectrograms(self, count: int) -> Array:
        """Run the front end."""
        return self._run(count, "spectrogram")[0][:, 0]

    def bottleneck(self, count: int) -> Array:
        """Run front end and encoder."""
        return self._run(count, "bottleneck")[0]

    def reconstructions(self, count: int) -> Array:
        """Run front end, encoder and decoder."""
        return self._run(count, "reconstruction")[0][:, 0]

    def descriptors(self, count: int) -> Array:
        """Run front end and encoder and, where errors are wanted, the decoder."""
        wanted = [name for name in ("bottleneck", "error") if getattr(self._layout, name)]
        found = self._run(count, *wanted)
        return np.concatenate(found, axis=1) if len(found) > 1 else found[0]

    def _run(self, count: int, *wanted: str) -> list[Array]:
        size = self._networks.batch_size(count)
        chain = self._chains.get(size)
        if chain is None:
            chain = self._chains[size] = self._networks.chain(size)
        return [array[:count] for array in chain.run(self._samples[:size], wanted)]
