"""Loads ONNX Runtime and opens graphs. No other module imports it."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevoice.errors import ArgumentError, MissingPackageError, ModelFilesError, ProviderError
from edgevoice.modelfolder import ModelFolder
from edgevoice.providers import PACKAGES, PROVIDERS, find_device

SessionOptions = Mapping[str, str | int | float | bool]
"""ONNX Runtime's own options: attributes of its `SessionOptions` or, where the name has a dot, configuration entries."""

_INSTALL = f"pip install {PROVIDERS['cpu'].install}, or '{PROVIDERS['cuda'].install}' for CUDA"
_REMOVE = f"pip uninstall -y {' '.join(PACKAGES)}"
_MEND = f"{_REMOVE}, then install exactly one of them, {_INSTALL}"
_ERRORS_ONLY = 3  # of ONNX Runtime's severities


def open_session(
    folder: ModelFolder, name: str, device: str = "cpu", threads: int = 1, *, options: SessionOptions | None = None
) -> Any:
    """Open one network of a model folder as an `onnxruntime.InferenceSession`, with the options that all runs use.

    Args:
        folder: the model folder.
        name: `encoder.onnx`, `decoder.onnx` or `frontend.onnx`.
        device: what computes: see `providers`.
        threads: CPU threads of one run.
        options: ONNX Runtime's own options, which come after those that are set here.

    Raises:
        MissingPackageError, ProviderError, ModelFilesError: as `Networks`.
        ArgumentError: ONNX Runtime has no such option, or does not take its value.
    """
    path = folder.locate(name)
    asked, runtime = find_device(device), load_onnxruntime(device)
    settings = _settings(runtime, threads)
    for option, value in (options or {}).items():
        try:
            if "." in option:
                settings.add_session_config_entry(option, str(int(value) if isinstance(value, bool) else value))
            elif hasattr(settings, option):
                setattr(settings, option, value)
            else:
                raise LookupError("SessionOptions has none of that name")
        except Exception as error:
            raise ArgumentError(f"session option {option!r}: ONNX Runtime does not take {value!r} ({error})") from error
    try:
        source = path if str(path).isascii() else path.read_bytes()  # it takes no path that is not text
        # Without a fallback, ONNX Runtime raises an error, instead of printing it and continuing on the CPU.
        session = runtime.InferenceSession(source, settings, providers=asked.execution, enable_fallback=0)
    except Exception as error:
        # ONNX Runtime has one kind of error for a device that cannot be used and for a file that cannot be read: where
        # another provider than the CPU's is named, it is the device.
        named = asked.provider.execution.removesuffix("ExecutionProvider").lower() in str(error).lower()
        if named and len(asked.execution) > 1:
            raise ProviderError(f"device {device!r} cannot be used: {first_line(error)}") from error
        raise ModelFilesError(f"{path}: ONNX Runtime cannot load it: {first_line(error)}") from error
    used = session.get_providers()[0]
    if used != asked.provider.execution:
        raise ProviderError(f"device {device!r} was asked for, but ONNX Runtime would use {used}")
    session.disable_fallback()
    return session


def open_graph(data: bytes) -> Any:
    """Open a small graph that is in memory, such as a head, on the CPU in the calling thread.

    Raises:
        MissingPackageError: ONNX Runtime is not installed.
        ModelFilesError: it is no graph that ONNX Runtime can load.
    """
    runtime = load_onnxruntime()
    try:
        return runtime.InferenceSession(data, _settings(runtime, 1), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has kinds of errors of its own
        raise ModelFilesError(f"ONNX Runtime cannot load it: {first_line(error)}") from error


def _settings(runtime: Any, threads: int) -> Any:
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = _ERRORS_ONLY
    # Two spinning threads cost a sixth of a CPU for four runs a second, one waiting thread a hundredth.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps memory for the largest batch so far; a batch of 1 is as fast without it.
    settings.enable_cpu_mem_arena = False
    return settings


def load_onnxruntime(device: str = "cpu") -> Any:
    """Import `onnxruntime`, without messages and telemetry, after a check that the installed package supports the device.

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
        raise MissingPackageError(f"ONNX Runtime is not installed: {_INSTALL}") from error
    if fresh and hasattr(onnxruntime, "set_default_logger_severity"):
        # Messages before the first session have their own severity. An application that imported it has chosen one already.
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


def warn_of_two(onnxruntime: Any) -> None:
    """Warn if two distributions of ONNX Runtime are installed: they overwrite each other's files."""
    found = _distributions(onnxruntime)
    if len(found) > 1:
        warnings.warn(
            f"{' and '.join(found)} are both installed and overwrite each other; {_MEND}",
            RuntimeWarning,
            stacklevel=5,  # where `load` was called
        )


def _distributions(onnxruntime: Any) -> list[str]:
    """The distributions that have installed files in the folder of the package."""
    package = Path(onnxruntime.__file__).parent
    # Looked up by hand: importlib.metadata takes longer to import than ONNX Runtime itself.
    found = {path.name.partition("-")[0].replace("_", "-") for path in package.parent.glob("onnxruntime*-*.dist-info")}
    return sorted(found & set(PACKAGES))


def check_graph(session: Any, name: str, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]) -> None:
    """Compare the inputs and outputs of a graph with those that are expected: float32, and the shape after the batch.

    Raises:
        ModelFilesError: they differ.
    """
    for kind, nodes, wanted in (("input", session.get_inputs(), inputs), ("output", session.get_outputs(), outputs)):
        found = {node.name: node for node in nodes}
        for key, shape in wanted.items():
            if key not in found:
                raise ModelFilesError(f"{name}: has no {kind} {key!r}, only {', '.join(found)}")
            dtype, dimensions, expected = found[key].type, found[key].shape, ["n", *shape]
            # A dimension that the graph leaves open is a name, or None.
            sizes = [size if isinstance(size, int) else open_ for size, open_ in zip(dimensions, expected, strict=False)]
            if dtype != "tensor(float)" or len(dimensions) != len(expected) or sizes != expected:
                raise ModelFilesError(f"{name}: {kind} {key!r} is {dtype} {dimensions}, expected tensor(float) {expected}")


def first_line(error: Exception) -> str:
    """The first line of a message, at most 300 characters: ONNX Runtime's messages can be pages long."""
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
