"""From samples at their level to descriptors: front end, encoder and decoder, on the host or on a device."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from edgevoice.errors import ModelUseError
from edgevoice.features import Features, Layout
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Array, Chain, Networks


class Pipeline(ABC):
    """The computation of windows. It holds no state of a source, and threads may share it: each has its own buffers.

    Args:
        networks: encoder and decoder.
        layout: what is computed of each window.
        size: how many windows are computed at a time.
    """

    def __init__(self, networks: Networks, layout: Layout, size: int) -> None:
        self.networks, self.layout, self.size = networks, layout, size
        self.nothing = Features.join([], layout)
        """No frames."""
        self._wanted = [group.name for group in layout.groups if group.count]
        self._local = threading.local()

    def describe(self, samples: Array, offset: ArrayLike = 0.0, gain: ArrayLike = 1.0) -> Array:
        """Descriptors of windows, float32 (n, descriptors), as the layout orders them; arguments as `run`."""
        found = self.run(samples, self._wanted, offset, gain)
        return np.concatenate(found, axis=1) if len(found) > 1 else found[0]

    def run(self, samples: Array, wanted: list[str], offset: ArrayLike = 0.0, gain: ArrayLike = 1.0) -> list[Array]:
        """Compute outputs of windows, as new arrays (n, ...).

        Args:
            samples: float32 (n, window), `size` windows at most.
            wanted: some of `spectrogram`, `reconstruction`, both (n, 1, bands, columns), and the groups of the layout.
            offset: that of the level, (n,) or one number.
            gain: that of the level, (n,) or one number.

        Raises:
            DeviceError: computing failed.
            ModelUseError: the model gives numbers that are not finite.
        """
        # What the host program asks of NumPy's warnings is not for the harmless underflows in here.
        with np.errstate(all="ignore"):
            return [_finite(array) for array in self._run(samples, wanted, offset, gain)]

    @abstractmethod
    def _run(self, samples: Array, wanted: list[str], offset: ArrayLike, gain: ArrayLike) -> list[Array]: ...


class HostPipeline(Pipeline):
    """Computes spectrograms in NumPy, and passes them to the networks from main memory, whatever device these use."""

    def __init__(self, networks: Networks, front_end: FrontEnd, layout: Layout, size: int) -> None:
        super().__init__(networks, layout, size)
        self._front_end = front_end

    def _run(self, samples: Array, wanted: list[str], offset: ArrayLike, gain: ArrayLike) -> list[Array]:
        if not hasattr(self._local, "images"):
            self._local.images = np.empty((self.size, 1, *self._front_end.shape), np.float32)
        images = self._local.images[: len(samples)]
        self._front_end.compute(samples, offset, gain, images[:, 0])
        networks, found = self.networks, {"spectrogram": images}
        if wanted != ["spectrogram"]:
            found["bottleneck"] = networks.encode(images)
        for name in wanted:
            if name not in found:
                found[name] = networks.decode(name, found["bottleneck"], images)
        return [found[name].copy() if name == "spectrogram" else found[name] for name in wanted]


class DevicePipeline(Pipeline):
    """Front end and networks on a device, bound to buffers there: samples go up, and only what is wanted comes down.

    Each batch size that is used has its own buffers.
    """

    def _run(self, samples: Array, wanted: list[str], offset: ArrayLike, gain: ArrayLike) -> list[Array]:
        local, count = self._local, len(samples)
        if not hasattr(local, "chains"):
            local.samples = np.zeros((self.size, self.networks.window), np.float32)
            local.exact = np.empty(self.networks.window)
            local.chains = {}
        rows, exact = local.samples[:count], local.exact
        if np.isscalar(offset) and np.isscalar(gain) and (offset, gain) == (0.0, 1.0):
            np.copyto(rows, samples)
        else:  # in float64, as everywhere, and rounded to float32
            offsets, gains = (np.broadcast_to(values, count).tolist() for values in (offset, gain))
            for row, window, minus, times in zip(rows, samples, offsets, gains, strict=True):
                np.subtract(window, minus, out=exact, dtype=np.float64)
                np.multiply(exact, times, out=row, casting="same_kind")
        size = self.networks.batch_size(count)
        if size not in local.chains:
            local.chains[size] = Chain(self.networks, size)
        return [array[:count] for array in local.chains[size].run(local.samples[:size], wanted)]


def new_pipeline(networks: Networks, front_end: FrontEnd, layout: Layout, size: int) -> Pipeline:
    """Make a pipeline; it is on the device where the networks have a front end there."""
    if networks.front_end:
        return DevicePipeline(networks, layout, size)
    return HostPipeline(networks, front_end, layout, size)


def _finite(values: Array) -> Array:
    if not np.isfinite(values).all():
        raise ModelUseError("the model gives numbers that are not finite: its networks or its settings are broken")
    return values
