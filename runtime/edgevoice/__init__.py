"""Learned speech features, live: bottleneck and reconstruction-error frames of autoencoders, with NumPy and ONNX Runtime.

import edgevoice

extractor = edgevoice.load("cae-256")
features = extractor.extract("speech.wav")
"""

from __future__ import annotations

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
from edgevoice.microphone.devices import InputDevice, input_devices
from edgevoice.microphone.microphone import Microphone
from edgevoice.modelfolder import ModelFolder, find_model, list_models
from edgevoice.stream import Stream
from edgevoice.streamgroup import StreamGroup

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
