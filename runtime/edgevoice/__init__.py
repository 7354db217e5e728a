"""Learned speech features, live: bottleneck and reconstruction-error frames of autoencoders, with NumPy and ONNX Runtime.

import edgevoice

extractor = edgevoice.load("cae-256")
features = extractor.extract("speech.wav")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgevoice.config import ModelConfig
from edgevoice.errors import (
    ArgumentError,
    AudioError,
    AudioFileNotFoundError,
    AudioFormatError,
    AudioTooShortError,
    DeviceError,
    DeviceMemoryError,
    EdgeVoiceError,
    MicrophoneLostError,
    MicrophoneNotFoundError,
    MicrophoneOpenError,
    ModelConfigError,
    ModelError,
    ModelFilesError,
    ModelNotFoundError,
    ModelUseError,
    OutputError,
    ProviderError,
    RuntimeMissingError,
    SamplesError,
    StreamError,
)
from edgevoice.extractor import Extractor, load
from edgevoice.features import Features, Frame
from edgevoice.modelfolder import ModelFolder, find_model, list_models
from edgevoice.stream import Stream
from edgevoice.streamgroup import StreamGroup

if TYPE_CHECKING:
    from edgevoice.microphone.devices import InputDevice, input_devices
    from edgevoice.microphone.microphone import Microphone

__all__ = [
    "ArgumentError",
    "AudioError",
    "AudioFileNotFoundError",
    "AudioFormatError",
    "AudioTooShortError",
    "DeviceError",
    "DeviceMemoryError",
    "EdgeVoiceError",
    "Extractor",
    "Features",
    "Frame",
    "InputDevice",
    "Microphone",
    "MicrophoneLostError",
    "MicrophoneNotFoundError",
    "MicrophoneOpenError",
    "ModelConfig",
    "ModelConfigError",
    "ModelError",
    "ModelFilesError",
    "ModelFolder",
    "ModelNotFoundError",
    "ModelUseError",
    "OutputError",
    "ProviderError",
    "RuntimeMissingError",
    "SamplesError",
    "Stream",
    "StreamError",
    "StreamGroup",
    "find_model",
    "input_devices",
    "list_models",
    "load",
]

__version__ = "0.1.0"

# Without them a process is at its first frame a twentieth earlier, and most have no microphone.
_ON_FIRST_USE = {
    "InputDevice": "edgevoice.microphone.devices",
    "Microphone": "edgevoice.microphone.microphone",
    "input_devices": "edgevoice.microphone.devices",
}


def __getattr__(name: str) -> object:
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(importlib.import_module(_ON_FIRST_USE[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
