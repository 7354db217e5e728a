"""Loads ONNX Runtime and opens graphs. No other module imports it."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.errors import MissingPackageError, ModelFilesError, ProviderError
from edgevoice.modelfolder import ModelFolder
from edgevoice.providers import PACKAGES, PROVIDERS, find_device

_INSTALL = f"pip install {PROVIDERS['cpu'].install}, or '{PROVIDERS['cuda'].install}' for CUDA"
_REMOVE = f"pip uninstall -y {' '.join(PACKAGES)}"
_MEND = f"{_REMOVE}, then install exactly one of them, {_INSTALL}"
_ERRORS_ONLY = 3  # of ONNX Runtime's severities

# Fields of onnx.proto that lead to tensors, by kind of message: number of the field -> kind of message in it.
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
}
_EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 13, 14, 1  # of a tensor
_DEEPEST = 64


def open_session(folder: ModelFolder, name: str, device: str = "cpu", threads: int = 1) -> Any:
    """Open one network of a model folder as an `onnxruntime.InferenceSession`; arguments and errors as `Networks`."""
    path = folder.locate(name)
    try:
        return open_graph(path, device, threads)
    except ModelFilesError as error:
        raise ModelFilesError(f"{path}: {error}") from error


def open_graph(graph: bytes | Path, device: str = "cpu", threads: int = 1) -> Any:
    """Open a graph in a file or, as that of a head, in memory, with the options of all runs; errors as `open_session`."""
    asked, runtime = find_device(device), load_onnxruntime(device)
    check_self_contained(graph)
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = _ERRORS_ONLY
    # Two spinning threads cost a sixth of a CPU for four runs a second, one waiting thread a hundredth.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps memory for the largest batch so far; a batch of 1 is as fast without it.
    settings.enable_cpu_mem_arena = False
    # From a path it takes less time and memory, but it takes none that is not text.
    source = graph if isinstance(graph, bytes) else str(graph) if str(graph).isascii() else graph.read_bytes()
    try:
        # Without a fallback, ONNX Runtime raises an error, instead of printing it and continuing on the CPU.
        session = runtime.InferenceSession(source, settings, providers=asked.execution, enable_fallback=0)
    except Exception as error:
        # ONNX Runtime has one kind of error for a device that cannot be used and for a file that cannot be read: where
        # another provider than the CPU's is named, it is the device.
        named = asked.provider.execution.removesuffix("ExecutionProvider").lower() in str(error).lower()
        if named and len(asked.execution) > 1:
            raise ProviderError(f"device {device!r} cannot be used: {first_line(error)}") from error
        raise ModelFilesError(f"ONNX Runtime cannot load it: {first_line(error)}") from error
    used = session.get_providers()[0]
    if used != asked.provider.execution:
        raise ProviderError(f"device {device!r} was asked for, but ONNX Runtime would use {used}")
    session.disable_fallback()
    return session


def check_self_contained(graph: bytes | Path) -> None:
    """Check that no tensor of a graph keeps its numbers in another file, which ONNX Runtime would read.

    Raises:
        ModelFilesError: one does, or it is no ONNX file.
    """
    try:
        content = memoryview(graph) if isinstance(graph, bytes) else np.memmap(graph, mode="r").data
        external = _is_external(content, "model", 0)
    except ValueError as error:
        raise ModelFilesError(str(error)) from None
    if external:
        raise ModelFilesError("keeps numbers in another file: a graph must contain its own")


def _is_external(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise ValueError(f"its graph is nested more than {_DEEPEST} times")
    inner = _FIELDS.get(kind, {})
    return any(
        _is_external(value, inner[number], depth + 1)
        if number in inner and isinstance(value, memoryview)
        else kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == _EXTERNAL))
        for number, value in _fields(message)
    )


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message: their numbers, and a number or the bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        key &= 0xFFFF_FFFF  # as protobuf does: a longer key would hide a field
        wire = key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        length, at = _varint(message, at) if wire == 2 else ({1: 8, 5: 4}.get(wire, -1), at)
        if length < 0 or at + length > len(message):
            raise ValueError("is no ONNX file: its fields do not fit")
        if wire == 2:
            yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and the place after it."""
    result = 0
    for shift, byte in enumerate(message[at : at + 10]):
        result |= (byte & 127) << 7 * shift
        if byte < 128:
            return result, at + shift + 1
    raise ValueError("is no ONNX file: a number in it does not end")


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
    """Raise a ModelFilesError where a graph has other inputs and outputs, float32, than these: shapes after the batch."""
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
