"""The one place that talks to ONNX Runtime."""

from __future__ import annotations

import re
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice.errors import ArgumentError, DeviceMemoryError, MissingPackageError, ModelFilesError, ProviderError
from edgevoice.modelfolder import ModelFolder

Images = NDArray[np.float32]

_MEND = "pip uninstall -y onnxruntime onnxruntime-gpu, then install 'edgevoice[cpu]' or 'edgevoice[gpu]'"

_CUDA_BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""cuDNN searches for an algorithm at every new shape: batches are filled up to one of these."""


class Networks:
    """Encoder and decoder of a model folder, loaded; safe to run from any thread.

    Args:
        folder: the model folder.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads of one run.
        decoder: whether the decoder is needed.

    Raises:
        MissingPackageError: ONNX Runtime is not installed.
        ProviderError: the device asked for cannot compute.
        ModelFilesError: a network is missing, altered or not what `model.json` says.
    """

    def __init__(self, folder: ModelFolder, device: str = "cpu", threads: int = 1, decoder: bool = True) -> None:
        config = folder.config
        image = (1, config.spectrogram.bands.count, config.columns)
        code, error = (config.features.bottleneck,), (config.features.error,)
        self._device = device
        self._batches = _CUDA_BATCHES if device != "cpu" else None
        _warn_of_two(_onnxruntime(device))
        self._encoder, self._decoder = _open_sessions(folder, device, threads, decoder)
        _check_graph(self._encoder, "encoder.onnx", {"spectrogram": image}, {"bottleneck": code})
        if self._decoder:
            inputs = {"bottleneck": code, "spectrogram": image}
            _check_graph(self._decoder, "decoder.onnx", inputs, {"error": error, "reconstruction": image})
        if self._batches:
            self._warm_up(image, config)

    def encode(self, spectrograms: Images) -> Images:
        """Bottleneck, float32 (n, units), of spectrograms, float32 (n, 1, bands, columns)."""
        return self._run(self._encoder, "bottleneck", {"spectrogram": spectrograms})

    def error(self, bottleneck: Images, spectrograms: Images) -> Images:
        """Reconstruction error by band, float32 (n, bands)."""
        return self._run(self._decoder, "error", {"bottleneck": bottleneck, "spectrogram": spectrograms})

    def reconstruct(self, bottleneck: Images, spectrograms: Images) -> Images:
        """Standardised reconstruction, float32 (n, 1, bands, columns)."""
        return self._run(self._decoder, "reconstruction", {"bottleneck": bottleneck, "spectrogram": spectrograms})

    def _run(self, session: Any, output: str, inputs: dict[str, Images]) -> Images:
        count = len(next(iter(inputs.values())))
        if self._batches:
            inputs = {name: _fill(array, self._batches) for name, array in inputs.items()}
        try:
            result: Images = session.run([output], inputs)[0]
        except Exception as error:
            if re.search("alloc|out of memory", str(error), re.IGNORECASE):
                raise DeviceMemoryError(
                    f"{count} windows at once do not fit into the memory of {self._device}: use shorter audio"
                ) from error
            raise ProviderError(f"ONNX Runtime failed on {self._device}: {_first_line(error)}") from error
        return result[:count]

    def _warm_up(self, image: tuple[int, ...], config: ModelConfig) -> None:
        for batch in self._batches or ():
            spectrograms = np.zeros((batch, *image), np.float32)
            self.encode(spectrograms)
            if self._decoder:
                self.error(np.zeros((batch, config.features.bottleneck), np.float32), spectrograms)


def check_device(device: str) -> None:
    """Raise ArgumentError unless the device is one that can be asked for."""
    if not isinstance(device, str) or not re.fullmatch(r"cpu|cuda(:\d{1,3})?", device):
        raise ArgumentError(f"device {device!r}: expected 'cpu', 'cuda' or 'cuda:N'")


def open_session(
    folder: ModelFolder,
    name: str,
    device: str = "cpu",
    threads: int = 1,
    *,
    optimised: bool = True,
    trace: Path | None = None,
) -> Any:
    """An `onnxruntime.InferenceSession` for one network of a model folder, with the options that all runs use.

    Args:
        folder: the model folder.
        name: `encoder.onnx` or `decoder.onnx`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads of one run.
        optimised: False computes operator by operator, with the weights as they are in the file.
        trace: where ONNX Runtime writes how long each operator took: the first part of a file's path.

    Raises:
        MissingPackageError, ProviderError, ModelFilesError: as `Networks`.
    """
    path = folder.locate(name)
    runtime = _onnxruntime(device)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Two spinning threads cost a sixth of a CPU for four runs a second, one waiting thread a hundredth.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps the largest batch ever seen; without it nothing is lost at batch 1.
    options.enable_cpu_mem_arena = False
    if not optimised:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")
    if trace is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(trace)
    try:
        session = runtime.InferenceSession(path, options, providers=_providers(device))
    except Exception as error:
        if device != "cpu" and "cuda" in str(error).lower():
            raise ProviderError(f"device {device!r} cannot be used: {_first_line(error)}") from error
        raise ModelFilesError(f"{path}: ONNX Runtime cannot load it: {_first_line(error)}") from error
    # ONNX Runtime goes on with the CPU when a provider fails to start.
    used = session.get_providers()[0]
    if used != _providers(device)[0][0]:
        raise ProviderError(f"device {device!r} was asked for, but ONNX Runtime would use {used}")
    session.disable_fallback()
    return session


def _open_sessions(folder: ModelFolder, device: str, threads: int, decoder: bool) -> tuple[Any, Any]:
    """Encoder and decoder, on the CPU at the same time: half of a process's start is this."""
    if not decoder or device != "cpu":
        encoder = open_session(folder, "encoder.onnx", device, threads)
        return encoder, open_session(folder, "decoder.onnx", device, threads) if decoder else None
    opened: list[Any] = []

    def open_decoder() -> None:
        try:
            opened.append(open_session(folder, "decoder.onnx", device, threads))
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            opened.append(error)

    thread = threading.Thread(target=open_decoder)
    thread.start()
    try:
        encoder = open_session(folder, "encoder.onnx", device, threads)
    finally:
        thread.join()
    if isinstance(opened[0], BaseException):
        raise opened[0]
    return encoder, opened[0]


def _providers(device: str) -> list[tuple[str, dict[str, str]]]:
    if device == "cpu":
        return [("CPUExecutionProvider", {})]
    _, _, number = device.partition(":")
    options = {"device_id": number or "0", "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    return [("CUDAExecutionProvider", options), ("CPUExecutionProvider", {})]


def _onnxruntime(device: str) -> Any:
    """The module, once what is installed fits the device."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "ONNX Runtime is not installed: pip install 'edgevoice[cpu]', or 'edgevoice[gpu]' for CUDA"
        ) from error
    if device != "cpu":
        if hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        available = onnxruntime.get_available_providers()
        if "CUDAExecutionProvider" not in available:
            raise ProviderError(
                f"device {device!r}: the ONNX Runtime installed ({', '.join(_distributions(onnxruntime)) or 'unknown'}) has "
                f"only {', '.join(available)}; {_MEND}"
            )
    return onnxruntime


def _warn_of_two(onnxruntime: Any) -> None:
    if len(_distributions(onnxruntime)) == 2:
        warnings.warn(
            f"onnxruntime and onnxruntime-gpu are both installed and overwrite each other; {_MEND}",
            RuntimeWarning,
            stacklevel=5,  # where `load` was called
        )


def _distributions(onnxruntime: Any) -> list[str]:
    """Which of `onnxruntime` and `onnxruntime-gpu` have put their files into the folder of the package."""
    package = Path(onnxruntime.__file__).parent
    # Looked up by hand: importlib.metadata takes longer to import than ONNX Runtime itself.
    found = {path.name.partition("-")[0].replace("_", "-") for path in package.parent.glob("onnxruntime*-*.dist-info")}
    return sorted(found & {"onnxruntime", "onnxruntime-gpu"})


def _check_graph(session: Any, name: str, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]) -> None:
    for kind, nodes, wanted in (("input", session.get_inputs(), inputs), ("output", session.get_outputs(), outputs)):
        found = {node.name: (node.type, node.shape) for node in nodes}
        for key, shape in wanted.items():
            if key not in found:
                raise ModelFilesError(f"{name}: has no {kind} {key!r}, only {', '.join(found)}")
            dtype, dimensions = found[key]
            # A dimension that the graph leaves open is a name, or None.
            fits = len(dimensions) == len(shape) + 1 and all(
                told == size for told, size in zip(dimensions[1:], shape, strict=True) if isinstance(told, int)
            )
            if dtype != "tensor(float)" or not fits or isinstance(dimensions[0], int):
                raise ModelFilesError(
                    f"{name}: {kind} {key!r} is {dtype} {dimensions}, expected tensor(float) {['n', *shape]}"
                )


def _fill(array: Images, sizes: tuple[int, ...]) -> Images:
    size = next((size for size in sizes if size >= len(array)), len(array))
    if size == len(array):
        return array
    return np.concatenate([array, np.zeros((size - len(array), *array.shape[1:]), np.float32)])


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
