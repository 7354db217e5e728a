"""Learned speech features, live: bottleneck and reconstruction-error frames of autoencoders, with NumPy and ONNX Runtime.

import edgevoice

extractor = edgevoice.load("cae-256")
features = extractor.extract("speech.wav")
"""

# ruff: noqa: F403, F405 - the names of the errors are listed in their own module, and below
from __future__ import annotations

TYPE_CHECKING = False  # importing it from typing would cost more than this whole module
if TYPE_CHECKING:
    from edgevoice.batcher import Batcher
    from edgevoice.config import ModelConfig
    from edgevoice.corpus.table import table
    from edgevoice.errors import *
    from edgevoice.extractor import Extractor, Typical, load
    from edgevoice.features import Features, Frame, Layout, functionals
    from edgevoice.heads.comparing import compare
    from edgevoice.heads.fitting import fit
    from edgevoice.heads.head import Decision, Head, Judge, load_head
    from edgevoice.hub import Hub, Source
    from edgevoice.microphone.devices import InputDevice, input_devices
    from edgevoice.microphone.microphone import LiveFrame, Microphone
    from edgevoice.microphone.summary import Summary
    from edgevoice.modelfolder import ModelFolder, find_model, list_models
    from edgevoice.plotting.recordings import plot
    from edgevoice.stream import Stream

__all__ = [
    "ArgumentError",
    "AudioError",
    "AudioFileNotFoundError",
    "AudioFormatError",
    "AudioTooShortError",
    "Batcher",
    "ClusterError",
    "Decision",
    "DeviceError",
    "DeviceMemoryError",
    "EdgeVoiceError",
    "EdgeVoiceWarning",
    "Extractor",
    "Features",
    "Frame",
    "Head",
    "HeadError",
    "Hub",
    "InputDevice",
    "Judge",
    "Layout",
    "LiveFrame",
    "Microphone",
    "MicrophoneError",
    "MicrophoneLostError",
    "MicrophoneNotFoundError",
    "MicrophoneOpenError",
    "MissingPackageError",
    "ModelConfig",
    "ModelConfigError",
    "ModelError",
    "ModelFilesError",
    "ModelFolder",
    "ModelNotFoundError",
    "ModelUseError",
    "OutputError",
    "ProviderError",
    "SamplesError",
    "Source",
    "Stream",
    "StreamError",
    "Summary",
    "Typical",
    "compare",
    "find_model",
    "fit",
    "functionals",
    "input_devices",
    "list_models",
    "load",
    "load_head",
    "plot",
    "table",
]

__version__ = "0.1.0"  # the only place: the package, the documentation and CITATION.cff are held to it

# Every name is loaded on its first use: the command line is ready for Ctrl-C before NumPy is there, and a process without a
# microphone does without its modules. Errors, whose names end so, are in `edgevoice.errors`.
_NAMES = {
    "batcher": ("Batcher",),
    "config": ("ModelConfig",),
    "corpus.table": ("table",),
    "errors": ("EdgeVoiceWarning",),
    "extractor": ("Extractor", "Typical", "load"),
    "features": ("Features", "Frame", "Layout", "functionals"),
    "heads.comparing": ("compare",),
    "heads.fitting": ("fit",),
    "heads.head": ("Decision", "Head", "Judge", "load_head"),
    "hub": ("Hub", "Source"),
    "microphone.devices": ("InputDevice", "input_devices"),
    "microphone.microphone": ("LiveFrame", "Microphone"),
    "microphone.summary": ("Summary",),
    "modelfolder": ("ModelFolder", "find_model", "list_models"),
    "plotting.recordings": ("plot",),
    "stream": ("Stream",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = "errors" if name.endswith("Error") else _MODULES[name]
    globals()[name] = value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
