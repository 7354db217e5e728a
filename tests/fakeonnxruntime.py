"""An `onnxruntime` that computes with NumPy what the tiny models have for shapes, and whose providers a test can choose."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

IMAGE, CODE, ERROR = ("n", 1, 128, 126), ("n", 8), ("n", 128)
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class SessionOptions:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


class InferenceSession:
    """An encoder, or a decoder, by the size of its file."""

    def __init__(self, runtime: FakeRuntime, path: str, options: SessionOptions, providers: list[Any]) -> None:
        if runtime.refusal:
            raise RuntimeError(runtime.refusal)
        assert runtime.preloaded or providers[0][0] == CPU, "libraries come before sessions"
        self.runtime, self.options, self.providers = runtime, options, providers
        self.fallback = True
        self.is_encoder = b"squared" not in Path(path).read_bytes()
        self.batches: list[int] = []
        runtime.sessions.append(self)

    def get_inputs(self) -> list[SimpleNamespace]:
        named = {"spectrogram": IMAGE} if self.is_encoder else {"bottleneck": CODE, "spectrogram": IMAGE}
        return _nodes(named)

    def get_outputs(self) -> list[SimpleNamespace]:
        return _nodes({"bottleneck": CODE} if self.is_encoder else {"error": ERROR, "reconstruction": IMAGE})

    def get_providers(self) -> list[str]:
        return self.runtime.used or [name for name, _ in self.providers]

    def disable_fallback(self) -> None:
        self.fallback = False

    def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.runtime.failure:
            raise RuntimeError(self.runtime.failure)
        images = inputs["spectrogram"]
        self.batches.append(len(images))
        assert all(len(array) == len(images) and array.dtype == np.float32 for array in inputs.values())
        means = images.mean(axis=(1, 3))
        if self.runtime.batch_sizes_with_other_bits.intersection([len(images)]):
            means[len(images) // 2] = np.nextafter(means[len(images) // 2], np.float32(9))
        return [{"bottleneck": means[:, :8], "error": means, "reconstruction": images}[name] for name in names]


@dataclass
class FakeRuntime:
    """Stands for the module."""

    __file__: str = "onnxruntime/__init__.py"
    available: list[str] = field(default_factory=lambda: [CUDA, CPU])
    used: list[str] = field(default_factory=list)
    """What sessions say that they use; empty: what was asked for."""
    refusal: str = ""
    """Why no session can be made."""
    failure: str = ""
    """Why no run succeeds."""
    batch_sizes_with_other_bits: set[int] = field(default_factory=set)
    """Sizes of batches in which one window in the middle has other bits than alone."""
    preloaded: int = 0
    severity: int | None = None
    """What was said to `set_default_logger_severity`."""
    sessions: list[InferenceSession] = field(default_factory=list)
    SessionOptions = SessionOptions

    def InferenceSession(  # noqa: N802
        self, path: str, options: SessionOptions, providers: list[Any], enable_fallback: int
    ) -> InferenceSession:
        assert not enable_fallback, "ONNX Runtime would go on with the CPU, and print so"
        return InferenceSession(self, path, options, providers)

    def get_available_providers(self) -> list[str]:
        return self.available

    def set_default_logger_severity(self, level: int) -> None:
        self.severity = level

    def preload_dlls(self) -> None:
        self.preloaded += 1


def _nodes(named: dict[str, tuple[Any, ...]]) -> list[SimpleNamespace]:
    return [SimpleNamespace(name=name, type="tensor(float)", shape=list(shape)) for name, shape in named.items()]
