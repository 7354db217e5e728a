"""The one place that talks to ONNX Runtime."""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgevoice.errors import ArgumentError, DeviceMemoryError, MissingPackageError, ModelFilesError, ProviderError
from edgevoice.modelfolder import ModelFolder
from edgevoice.providers import PACKAGES, find_device

Array = NDArray[np.float32]

SessionOptions = Mapping[str, str | int | float | bool]
"""ONNX Runtime's own options: attributes of its `SessionOptions`, or, where the name has a dot, configuration entries."""

FRONT_END = "frontend.onnx"

_REMOVE = f"pip uninstall -y {' '.join(PACKAGES)}"
_MEND = f"{_REMOVE}, then install exactly one of them, as with 'edgevoice[cpu]' or 'edgevoice[gpu]'"
_ERRORS_ONLY = 3  # of ONNX Runtime's severities


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
        options: ONNX Runtime's own options, which come after those that are set here.

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
        options: SessionOptions | None = None,
    ) -> None:
        config = folder.config
        self._image = (1, config.spectrogram.bands.count, config.columns)
        self._device = find_device(device)
        provider = self._device.provider
        self._sizes = provider.sizes
        _warn_of_two(load_onnxruntime(device))

        def opened(name: str) -> Any:
            return open_session(folder, name, device, threads, options=options)

        names = ["encoder.onnx", "decoder.onnx"] if decoder else ["encoder.onnx"]
        sessions = dict(zip(names, (_all_at_once if provider.concurrent else map)(opened, names), strict=True))
        self._encoder: Any = sessions["encoder.onnx"]
        self._decoder: Any = sessions.get("decoder.onnx")
        code, error = (config.features.bottleneck,), (config.features.error,)
        _check_graph(self._encoder, "encoder.onnx", {"spectrogram": self._image}, {"bottleneck": code})
        if self._decoder:
            inputs = {"bottleneck": code, "spectrogram": self._image}
            _check_graph(self._decoder, "decoder.onnx", inputs, {"error": error, "reconstruction": self._image})
        self.front_end: GraphFrontEnd | None = None
        """What makes spectrograms on the device; None where NumPy makes them."""
        if provider.graph_front_end and FRONT_END in config.files:
            session = opened(FRONT_END)
            _check_graph(session, FRONT_END, {"samples": (config.audio.window,)}, {"spectrogram": self._image})
            self.front_end = GraphFrontEnd(partial(self._run_once, session, ["spectrogram"]), self._image)
        self._any_size = whole_batches or not provider.exact
        self._tried: dict[int, bool] = {1: True}
        self._trying = threading.Lock()
        for size in self._sizes:  # each new size costs a search
            self._probe(size)
            if self.front_end:
                self.front_end.compute(np.zeros((size, config.audio.window), np.float32))

    def encode(self, spectrograms: Array) -> Array:
        """Bottleneck, float32 (n, units), of spectrograms, float32 (n, 1, bands, columns)."""
        return self._run(self._encoder, "bottleneck", {"spectrogram": spectrograms})

    def error(self, bottleneck: Array, spectrograms: Array) -> Array:
        """Reconstruction error by band, float32 (n, bands)."""
        return self._run(self._decoder, "error", {"bottleneck": bottleneck, "spectrogram": spectrograms})

    def reconstruct(self, bottleneck: Array, spectrograms: Array) -> Array:
        """Standardised reconstruction, float32 (n, 1, bands, columns)."""
        return self._run(self._decoder, "reconstruction", {"bottleneck": bottleneck, "spectrogram": spectrograms})

    def runs_at_once(self, count: int) -> bool:
        """Whether so many windows are computed in one run: not where that would change their bits."""
        if self._any_size:
            return True
        if count not in self._tried:
            with self._trying:
                if count not in self._tried:
                    self._tried[count] = self._has_same_bits(count)
        return self._tried[count]

    def _has_same_bits(self, count: int) -> bool:
        """Whether windows have the bits in a batch of this size that they have alone.

        Kernels are chosen by the shape, so that two windows, in turn at every place of the batch, stand for all.
        """
        both = [self._probe(1, seed) for seed in range(2)]
        images = np.concatenate([self._images(1, seed) for seed in range(2)])
        batch = self._probe(count, images=np.resize(images, (count, *self._image)))
        alone = [np.resize(np.concatenate(pair), (count, *pair[0].shape[1:])) for pair in zip(*both, strict=True)]
        return all(found.tobytes() == wanted.tobytes() for found, wanted in zip(batch, alone, strict=True))

    def _probe(self, count: int, seed: int = 0, images: Array | None = None) -> list[Array]:
        """What the networks make of noise: bottleneck, error, reconstruction."""
        images = self._images(count, seed) if images is None else images
        code = self._run_once(self._encoder, ["bottleneck"], {"spectrogram": images})
        if self._decoder is None:
            return code
        inputs = {"bottleneck": code[0], "spectrogram": images}
        return [*code, *self._run_once(self._decoder, ["error", "reconstruction"], inputs)]

    def _images(self, count: int, seed: int) -> Array:
        return np.random.default_rng(seed).random((count, *self._image), np.float32)

    def _run(self, session: Any, output: str, inputs: dict[str, Array]) -> Array:
        count = len(next(iter(inputs.values())))
        if self.runs_at_once(count):
            return self._run_once(session, [output], inputs)[0]
        rows = ({name: array[k : k + 1] for name, array in inputs.items()} for k in range(count))
        return np.concatenate([self._run_once(session, [output], row)[0] for row in rows])

    def _run_once(self, session: Any, outputs: list[str], inputs: dict[str, Array]) -> list[Array]:
        count = len(next(iter(inputs.values())))
        if self._sizes:
            inputs = {name: _fill(array, self._sizes) for name, array in inputs.items()}
        try:
            results: list[Array] = session.run(outputs, inputs)
        except Exception as error:
            if re.search("alloc|out of memory", str(error), re.IGNORECASE):
                raise DeviceMemoryError(
                    f"{count} windows at once do not fit into the memory of {self._device.name}: free some of it"
                ) from error
            raise ProviderError(f"ONNX Runtime failed on {self._device.name}: {_first_line(error)}") from error
        return [result[:count] for result in results]


class GraphFrontEnd:
    """Spectrograms by `frontend.onnx`, on the device that computes the networks; used as `frontend.FrontEnd`."""

    def __init__(self, run: Callable[[dict[str, Array]], list[Array]], image: tuple[int, int, int]) -> None:
        self._run = run
        self.shape = image[1:]
        """(bands, columns) of one spectrogram."""

    def scratch(self) -> None:
        """No buffers: the device has its own."""

    def compute(
        self,
        windows: Array,
        offset: ArrayLike = 0.0,
        gain: ArrayLike = 1.0,
        scratch: None = None,  # noqa: ARG002
        out: Array | None = None,
    ) -> Array:
        """Spectrograms, float32 (n, bands, columns), of windows (n, window); the level is applied in float64 before."""
        exact = windows.astype(np.float64)
        exact -= np.reshape(offset, (-1, 1))
        exact *= np.reshape(gain, (-1, 1))
        result: Array = self._run({"samples": exact.astype(np.float32)})[0][:, 0]
        if out is None:
            return result
        np.copyto(out, result)
        return out


def open_session(
    folder: ModelFolder,
    name: str,
    device: str = "cpu",
    threads: int = 1,
    *,
    optimised: bool = True,
    trace: Path | None = None,
    options: SessionOptions | None = None,
) -> Any:
    """An `onnxruntime.InferenceSession` for one network of a model folder, with the options that all runs use.

    Args:
        folder: the model folder.
        name: `encoder.onnx`, `decoder.onnx` or `frontend.onnx`.
        device: what computes: see `providers`.
        threads: CPU threads of one run.
        optimised: False computes operator by operator, with the weights as they are in the file.
        trace: where ONNX Runtime writes how long each operator took: the first part of a file's path.
        options: ONNX Runtime's own options, which come after those that are set here.

    Raises:
        MissingPackageError, ProviderError, ModelFilesError: as `Networks`.
        ArgumentError: ONNX Runtime has no such option, or does not take its value.
    """
    path = folder.locate(name)
    asked = find_device(device)
    runtime = load_onnxruntime(device)
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ERRORS_ONLY
    # Two spinning threads cost a sixth of a CPU for four runs a second, one waiting thread a hundredth.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps the largest batch ever seen; without it nothing is lost at batch 1.
    settings.enable_cpu_mem_arena = False
    if not optimised:
        settings.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        settings.add_session_config_entry("session.disable_prepacking", "1")
    if trace is not None:
        settings.enable_profiling = True
        settings.profile_file_prefix = str(trace)
    _set_options(settings, options or {})
    try:
        # Without a fallback, ONNX Runtime raises what it would print otherwise, and go on with the CPU.
        session = runtime.InferenceSession(path, settings, providers=asked.execution, enable_fallback=0)
    except Exception as error:
        # ONNX Runtime has one kind of error for a device that cannot be used and for a file that cannot be read: where
        # another provider than the CPU's is named, it is the device.
        named = asked.provider.execution.removesuffix("ExecutionProvider").lower() in str(error).lower()
        if named and len(asked.execution) > 1:
            raise ProviderError(f"device {device!r} cannot be used: {_first_line(error)}") from error
        raise ModelFilesError(f"{path}: ONNX Runtime cannot load it: {_first_line(error)}") from error
    used = session.get_providers()[0]
    if used != asked.provider.execution:
        raise ProviderError(f"device {device!r} was asked for, but ONNX Runtime would use {used}")
    session.disable_fallback()
    return session


def _set_options(settings: Any, options: SessionOptions) -> None:
    for name, value in options.items():
        try:
            if "." in name:
                settings.add_session_config_entry(name, str(int(value) if isinstance(value, bool) else value))
            elif not hasattr(settings, name):
                raise ArgumentError(f"session option {name!r}: ONNX Runtime's SessionOptions has none of that name")
            else:
                setattr(settings, name, value)
        except ArgumentError:
            raise
        except Exception as error:
            raise ArgumentError(f"session option {name!r}: ONNX Runtime does not take {value!r}") from error


def _all_at_once(function: Callable[[str], Any], values: Iterable[str]) -> list[Any]:
    """What a function gives for each value, a thread for each: half of a process's start is the opening of sessions.

    A pool of `concurrent.futures` would cost a twentieth of that start, for its import alone.
    """
    results: dict[str, Any] = {}
    errors: list[BaseException] = []

    def run(value: str) -> None:
        try:
            results[value] = function(value)
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            errors.append(error)

    values = list(values)
    threads = [threading.Thread(target=run, args=(value,)) for value in values[1:]]
    for thread in threads:
        thread.start()
    run(values[0])
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[value] for value in values]


def load_onnxruntime(device: str = "cpu") -> Any:
    """The module `onnxruntime`, quiet and without telemetry, once what is installed fits the device.

    Raises:
        MissingPackageError: it is not installed.
        ProviderError: what is installed cannot use the device.
    """
    fresh = "onnxruntime" not in sys.modules
    # Its Linux wheels have telemetry, which writes into the home folder as soon as it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "ONNX Runtime is not installed: pip install 'edgevoice[cpu]', or 'edgevoice[gpu]' for CUDA"
        ) from error
    if fresh and hasattr(onnxruntime, "set_default_logger_severity"):
        # What it says before a session has its own severity. An application that imported it has decided for itself.
        onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    provider = find_device(device).provider
    if provider.preload and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    available = onnxruntime.get_available_providers()
    if provider.execution not in available:
        raise ProviderError(
            f"device {device!r} needs '{provider.install}': the ONNX Runtime installed "
            f"({', '.join(_distributions(onnxruntime)) or 'unknown'}) has only {', '.join(available)}; {_REMOVE}, then "
            f"pip install '{provider.install}'"
        )
    return onnxruntime


def _warn_of_two(onnxruntime: Any) -> None:
    found = _distributions(onnxruntime)
    if len(found) > 1:
        warnings.warn(
            f"{' and '.join(found)} are both installed and overwrite each other; {_MEND}",
            RuntimeWarning,
            stacklevel=5,  # where `load` was called
        )


def _distributions(onnxruntime: Any) -> list[str]:
    """Which distributions have put their files into the folder of the package."""
    package = Path(onnxruntime.__file__).parent
    # Looked up by hand: importlib.metadata takes longer to import than ONNX Runtime itself.
    found = {path.name.partition("-")[0].replace("_", "-") for path in package.parent.glob("onnxruntime*-*.dist-info")}
    return sorted(found & set(PACKAGES))


def _check_graph(session: Any, name: str, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]) -> None:
    for kind, nodes, wanted in (("input", session.get_inputs(), inputs), ("output", session.get_outputs(), outputs)):
        found = {node.name: (node.type, node.shape) for node in nodes}
        for key, shape in wanted.items():
            if key not in found:
                raise ModelFilesError(f"{name}: has no {kind} {key!r}, only {', '.join(found)}")
            dtype, dimensions = found[key]
            # A dimension that the graph leaves open is a name, or None.
            fits = len(dimensions) == len(shape) + 1 and all(
                found_size == size
                for found_size, size in zip(dimensions[1:], shape, strict=True)
                if isinstance(found_size, int)
            )
            if dtype != "tensor(float)" or not fits or isinstance(dimensions[0], int):
                raise ModelFilesError(
                    f"{name}: {kind} {key!r} is {dtype} {dimensions}, expected tensor(float) {['n', *shape]}"
                )


def _fill(array: Array, sizes: tuple[int, ...]) -> Array:
    size = next((size for size in sizes if size >= len(array)), len(array))
    if size == len(array):
        return array
    return np.concatenate([array, np.zeros((size - len(array), *array.shape[1:]), np.float32)])


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
