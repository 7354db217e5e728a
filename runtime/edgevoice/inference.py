"""The networks of a model in ONNX Runtime: windows in, codes and errors out."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import DeviceMemoryError, EdgeVoiceError, ProviderError
from edgevoice.modelfolder import ModelFolder
from edgevoice.providers import Device, find_device
from edgevoice.sessions import check_graph, first_line, load_onnxruntime, open_session, warn_of_two
from edgevoice.threads import ThreadPool

Array = NDArray[np.float32]

FRONT_END = "frontend.onnx"


class Networks:
    """Encoder and decoder of a model folder, loaded; safe to run from any thread.

    On devices whose bits must not depend on the batch, windows run one by one at the batch sizes where they would. That is
    a property of the processor and of the version of ONNX Runtime, so it is tried here, once for each size.

    Args:
        folder: the model folder.
        device: what computes: see `providers`.
        threads: CPU threads of one run.
        decoder: whether the decoder is needed.
        whole_batches: whether windows of one call belong together, and are never run one by one.

    Raises:
        MissingPackageError: ONNX Runtime is not installed.
        ProviderError: the device asked for cannot compute.
        ModelFilesError: a network is missing, altered or not what `model.json` says.
    """

    def __init__(
        self,
        folder: ModelFolder,
        device: str = "cpu",
        threads: int = 1,
        decoder: bool = True,
        *,
        whole_batches: bool = False,
    ) -> None:
        config = folder.config
        self.image = (1, config.spectrogram.bands.count, config.columns)
        self.device = find_device(device)
        provider = self.device.provider
        self._sizes = provider.sizes
        warn_of_two(load_onnxruntime(device))
        opened = partial(open_session, folder, device=device, threads=threads)
        ahead: list[Any] = []

        def open_ahead() -> None:
            with contextlib.suppress(Exception):  # it is opened again below, where its error is raised
                ahead.append(opened("decoder.onnx"))

        # Beside each other: opening sessions takes half of the start of a process.
        with contextlib.closing(ThreadPool(int(decoder and provider.concurrent), "edgevoice.Networks")) as pool:
            pool.submit(open_ahead)
            self.encoder = opened("encoder.onnx")
        self.decoder: Any = (ahead[0] if ahead else opened("decoder.onnx")) if decoder else None
        self.widths = {name: (count,) for name, count in dataclasses.asdict(config.features).items()}
        code = self.widths["bottleneck"]
        check_graph(self.encoder, "encoder.onnx", {"spectrogram": self.image}, {"bottleneck": code})
        if self.decoder:
            inputs = {"bottleneck": code, "spectrogram": self.image}
            outputs = {**self.widths, "reconstruction": self.image}
            del outputs["bottleneck"]
            check_graph(self.decoder, "decoder.onnx", inputs, outputs)
        self.window = config.audio.window
        """Samples of a window."""
        # A forked child does not have the threads of ONNX Runtime, and a run would wait for them for ever.
        self._process = os.getpid() if threads > 1 else None
        if self._process:
            _with_threads.add(self)
        self.front_end: Any = None
        """What computes spectrograms on the device; None where NumPy does, and `Chain` cannot be used."""
        if provider.graph_front_end and FRONT_END in config.files:
            self.front_end = opened(FRONT_END)
            check_graph(self.front_end, FRONT_END, {"samples": (self.window,)}, {"spectrogram": self.image})
        self._any_size = whole_batches or not provider.exact
        self._tried: dict[int, bool] = {1: True}
        if self._sizes:  # the first run of a size searches for kernels, which takes long
            if self.front_end:
                wanted = list(self.widths) if self.decoder else ["bottleneck"]
                Chain(self, 1).run(np.zeros((1, self.window), np.float32), wanted)
            else:
                self._probe(self._noise(0))

    def batch_size(self, count: int) -> int:
        """The size of the batch in which so many windows are computed."""
        return next((size for size in self._sizes if size >= count), count)

    def encode(self, spectrograms: Array) -> Array:
        """Encode spectrograms, float32 (n, 1, bands, columns), to the bottleneck, float32 (n, units)."""
        return self._run(self.encoder, "bottleneck", {"spectrogram": spectrograms})

    def decode(self, output: str, bottleneck: Array, spectrograms: Array) -> Array:
        """Decode the bottleneck: `error`, float32 (n, bands), or `reconstruction`, (n, 1, bands, columns), standardised."""
        return self._run(self.decoder, output, {"bottleneck": bottleneck, "spectrogram": spectrograms})

    def runs_at_once(self, count: int) -> bool:
        """Whether so many windows are computed in one run; False where that would change their bits."""
        if count not in self._tried:  # several threads that come first find the same
            self._tried[count] = self._any_size or self._has_same_bits(count)
        return self._tried[count]

    def _has_same_bits(self, count: int) -> bool:
        # Kernels are chosen by the shape, so that two windows, each tried at every place of the batch, are enough.
        images = [self._noise(seed) for seed in range(2)]
        both = [self._probe(image) for image in images]
        batch = self._probe(np.resize(np.concatenate(images), (count, *self.image)))
        alone = [np.resize(np.concatenate(pair), (count, *pair[0].shape[1:])) for pair in zip(*both, strict=True)]
        return all(found.tobytes() == wanted.tobytes() for found, wanted in zip(batch, alone, strict=True))

    def _probe(self, images: Array) -> list[Array]:
        """Outputs of the networks in one run: bottleneck, error, reconstruction."""
        code = self._run_once(self.encoder, ["bottleneck"], {"spectrogram": images})
        if self.decoder is None:
            return code
        inputs = {"bottleneck": code[0], "spectrogram": images}
        return [*code, *self._run_once(self.decoder, ["error", "reconstruction"], inputs)]

    def _noise(self, seed: int) -> Array:
        return np.random.default_rng(seed).random((1, *self.image), np.float32)

    def _run(self, session: Any, output: str, inputs: dict[str, Array]) -> Array:
        count = len(next(iter(inputs.values())))
        if self.runs_at_once(count):
            return self._run_once(session, [output], inputs)[0]
        rows = ({name: array[k : k + 1] for name, array in inputs.items()} for k in range(count))
        return np.concatenate([self._run_once(session, [output], row)[0] for row in rows])

    def _run_once(self, session: Any, outputs: list[str], inputs: dict[str, Array]) -> list[Array]:
        if self._process not in (None, os.getpid()):
            raise ProviderError(
                "this model was loaded with several threads before the process was forked, and cannot compute in the child: "
                "load it there, with one thread, or start processes with multiprocessing's 'spawn'"
            )
        count = len(next(iter(inputs.values())))
        if spare := self.batch_size(count) - count:
            inputs = {
                name: np.concatenate([array, np.zeros((spare, *array.shape[1:]), np.float32)])
                for name, array in inputs.items()
            }
        with _failures(self.device, count):
            results: list[Array] = session.run(outputs, inputs)
        return [result[:count] for result in results]


_with_threads: weakref.WeakSet[Networks] = weakref.WeakSet()


def _keep_in_child() -> None:
    """Keep the sessions of a forked child for ever: ending one would wait for threads that exist in the parent only."""
    import ctypes  # loaded here: few programs fork

    for networks in _with_threads:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(networks))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_in_child)


class Chain:
    """Front end, encoder and decoder on a device, bound to buffers there for batches of one size.

    Samples are copied to the device, and only requested outputs are copied back. Only one thread may use it at a
    time; the sessions are shared.
    """

    def __init__(self, networks: Networks, size: int) -> None:
        self._networks, self._device = networks, networks.device
        image = (size, *networks.image)
        self._shapes = {"samples": (size, networks.window), "spectrogram": image, "reconstruction": image}
        self._shapes |= {name: (size, *width) for name, width in networks.widths.items()}
        self._buffers: dict[str, Any] = {}
        self._bindings: dict[str, Any] = {}

    def run(self, samples: Array, wanted: list[str]) -> list[Array]:
        """Compute outputs for a batch of samples at the model's level, (n, window), as new arrays.

        Args:
            samples: float32, as many as the buffers hold.
            wanted: some of `spectrogram`, `bottleneck`, `error`, `reconstruction`.
        """
        with _failures(self._device, len(samples)):
            self._buffer("samples").update_inplace(samples)
            self._compute("spectrogram", ["samples"])
            if wanted != ["spectrogram"]:
                self._compute("bottleneck", ["spectrogram"])
            for name in wanted:
                if name not in ("spectrogram", "bottleneck"):
                    self._compute(name, ["bottleneck", "spectrogram"])
            # Copied: for main memory, ONNX Runtime gives a view of the buffer.
            return [np.array(self._buffers[name].numpy()) for name in wanted]

    def _compute(self, output: str, inputs: list[str]) -> None:
        networks = self._networks
        session = {"spectrogram": networks.front_end, "bottleneck": networks.encoder}.get(output, networks.decoder)
        binding = self._bindings.get(output)
        if binding is None:
            binding = session.io_binding()
            for name in inputs:
                binding.bind_ortvalue_input(name, self._buffer(name))
            binding.bind_ortvalue_output(output, self._buffer(output))
            self._bindings[output] = binding
        session.run_with_iobinding(binding)

    def _buffer(self, name: str) -> Any:
        if name not in self._buffers:
            make = load_onnxruntime(self._device.name).OrtValue.ortvalue_from_shape_and_type
            self._buffers[name] = make(self._shapes[name], np.float32, self._device.provider.name, self._device.number)
        return self._buffers[name]


@contextmanager
def _failures(device: Device, count: int) -> Iterator[None]:
    """Convert errors that ONNX Runtime raises while it computes to errors of a device."""
    try:
        yield
    except EdgeVoiceError:
        raise
    except Exception as error:
        if re.search("alloc|out of memory", str(error), re.IGNORECASE):
            raise DeviceMemoryError(
                f"{count} windows at once do not fit into the memory of {device.name}: free some of it"
            ) from error
        raise ProviderError(f"ONNX Runtime failed on {device.name}: {first_line(error)}") from error
