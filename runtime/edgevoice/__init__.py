"""Learned speech features, live: bottleneck and reconstruction-error frames of autoencoders, with NumPy and ONNX Runtime.

import edgevoice

extractor = edgevoice.load("cae-256")
features = extractor.extract("speech.wav")
"""

# ruff: noqa: F403, I001 - a line a module below
from __future__ import annotations

from edgevoice import errors

TYPE_CHECKING = False  # importing it from typing would cost more than this whole module
if TYPE_CHECKING:
    from edgevoice.batcher import Batcher as Batcher
    from edgevoice.config import ModelConfig as ModelConfig
    from edgevoice.corpus.table import table as table
    from edgevoice.errors import *
    from edgevoice.extractor import Extractor as Extractor, Typical as Typical, load as load
    from edgevoice.features import Features as Features, Frame as Frame, Layout as Layout, functionals as functionals
    from edgevoice.heads.comparing import compare as compare
    from edgevoice.heads.fitting import fit as fit
    from edgevoice.heads.head import Decision as Decision, Head as Head, Judge as Judge, load_head as load_head
    from edgevoice.hub import Hub as Hub, Source as Source
    from edgevoice.microphone.devices import InputDevice as InputDevice, input_devices as input_devices
    from edgevoice.microphone.microphone import LiveFrame as LiveFrame, Microphone as Microphone
    from edgevoice.microphone.summary import Summary as Summary
    from edgevoice.modelfolder import ModelFolder as ModelFolder, find_model as find_model, list_models as list_models
    from edgevoice.plotting.recordings import plot as plot
    from edgevoice.stream import Stream as Stream

__version__ = "0.1.0"  # the only place: the package, the documentation and CITATION.cff are held to it

# Every name is loaded on its first use: the command line is ready for Ctrl-C before NumPy is there, and a process without a
# microphone does without its modules.
_NAMES = {
    "batcher": ("Batcher",),
    "config": ("ModelConfig",),
    "corpus.table": ("table",),
    "errors": tuple(name for name in vars(errors) if name.endswith(("Error", "Warning"))),
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
__all__ = sorted(_MODULES)  # noqa: PLE0605 - a list, though not a literal


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    globals()[name] = value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
