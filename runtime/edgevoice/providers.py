"""Providers: the hardware that ONNX Runtime can use, and the settings for each kind.

To add one, as Core ML or DirectML, add a row (ONNX Runtime's documentation lists their names and options). Then run
`edgevoice bench --device NAME` on such a machine: it compares the numbers with the reference before it times anything.
Providers that compile a graph for every new shape, as CUDA's search for convolutions does, want `sizes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgevoice.errors import ArgumentError


@dataclass(frozen=True)
class Provider:
    """One of ONNX Runtime's execution providers, and how EdgeVoice uses it."""

    name: str
    """The name of the device for users, and of its memory for ONNX Runtime."""
    execution: str
    """ONNX Runtime's name of the provider."""
    install: str
    """The distribution that contains it, with the extras that bring the libraries of the provider."""
    batch: int
    """Largest number of windows that are computed together."""
    options: Mapping[str, str] = field(default_factory=dict)
    """ONNX Runtime's options for the provider."""
    number_option: str = ""
    """The option for the number of the device; empty where devices have no numbers."""
    sizes: tuple[int, ...] = ()
    """Sizes to which batches are padded; empty where all sizes run equally well."""
    exact: bool = True
    """Whether a window must have the same bits in any batch. This is tested; if it fails, windows run one by one."""
    concurrent: bool = True
    """Whether `extract` computes batches in several threads at once. On a GPU they would wait for Python's lock: each of the
    short calls to it gives the lock away, and gets it back up to 5 ms later."""
    graph_front_end: bool = False
    """Whether `frontend.onnx`, where the model folder has it, computes spectrograms on the device in NumPy's place."""
    preload: bool = False
    """Whether the libraries of the provider come from other packages, and must be loaded before the first session."""


_CPU_BATCH = 8  # enough to share the work of a call, few enough to stay in the caches
_CUDA_SIZES = (1, 2, 4, 8, 16, 32, 64)

PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("cpu", "CPUExecutionProvider", "onnxruntime", _CPU_BATCH),
        Provider(
            "cuda",
            "CUDAExecutionProvider",
            "onnxruntime-gpu[cuda,cudnn]",
            _CUDA_SIZES[-1],
            # cuDNN's full search takes seconds at every new shape; TF32 rounds to 10 bits.
            options={"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"},
            number_option="device_id",
            sizes=_CUDA_SIZES,
            exact=False,
            concurrent=False,
            graph_front_end=True,
            preload=True,
        ),
        Provider(
            "openvino",
            "OpenVINOExecutionProvider",
            "onnxruntime-openvino",
            _CPU_BATCH,
            # The plug-in rounds to bfloat16 by itself where the processor can.
            options={"device_type": "CPU", "precision": "FP32"},
            concurrent=False,
        ),
    )
}

PACKAGES = tuple(provider.install.partition("[")[0] for provider in PROVIDERS.values())
"""Distributions that contain the same import package, `onnxruntime`, and overwrite each other."""


@dataclass(frozen=True)
class Device:
    """One device of a provider."""

    name: str
    """The name as the user wrote it, such as `cpu` or `cuda:1`."""
    provider: Provider
    number: int

    @property
    def execution(self) -> list[tuple[str, dict[str, str]]]:
        """The argument for a session: the provider with its options, then the CPU for operators that the provider lacks."""
        provider, options = self.provider, dict(self.provider.options)
        if provider.number_option:
            options[provider.number_option] = str(self.number)
        rows = [(provider.execution, options)]
        cpu = PROVIDERS["cpu"].execution
        return rows if provider.execution == cpu else [*rows, (cpu, {})]


def find_device(name: str) -> Device:
    """Find a device by the name of its provider, with a number where its devices have numbers (`cuda:1`).

    Raises:
        ArgumentError: there is no such provider, or its devices have no numbers.
    """
    match = re.fullmatch(r"([a-z]+)(?::(\d{1,3}))?", name) if isinstance(name, str) else None
    provider = PROVIDERS.get(match[1]) if match else None
    if provider is None or match is None or (match[2] and not provider.number_option):
        raise ArgumentError(f"device {name!r}: expected {known_devices()}")
    return Device(name, provider, int(match[2] or 0))


def known_devices() -> str:
    """Names of all devices, for messages and help."""
    names: list[str] = []
    for provider in PROVIDERS.values():
        names += [provider.name, f"{provider.name}:N"] if provider.number_option else [provider.name]
    return f"{', '.join(names[:-1])} or {names[-1]}"
