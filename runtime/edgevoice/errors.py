"""Every error that EdgeVoice raises on purpose.

EdgeVoiceError
├── AudioError                    the samples, or the file that they come from
│   ├── AudioFileNotFoundError    (FileNotFoundError) no such file or folder
│   ├── AudioFormatError          (ValueError) not audio, truncated, or a format that cannot be read
│   ├── SamplesError              (ValueError) wrong dtype or shape, NaN, infinity
│   └── AudioTooShortError        (ValueError) fewer samples than one window
├── ModelError                    the model folder
│   ├── ModelNotFoundError        (FileNotFoundError) no model of that name or path
│   ├── ModelConfigError          (ValueError) model.json is not what the format allows
│   ├── ModelFilesError           (OSError) a file of the folder is missing, altered or unreadable
│   └── ModelUseError             (ValueError) the model cannot be used in this way
├── DeviceError                   what computes, or what captures
│   ├── MissingPackageError       (ImportError) a package that this use needs is not installed
│   ├── ProviderError             (RuntimeError) the device asked for cannot compute
│   ├── DeviceMemoryError         (MemoryError) the computation does not fit into memory
│   ├── MicrophoneNotFoundError   (LookupError) no input device of that name or index
│   ├── MicrophoneOpenError       (OSError) the input device cannot be opened
│   └── MicrophoneLostError       (OSError) the input device stopped delivering
├── StreamError                   (RuntimeError) a stream used out of order, as push after finish
├── ArgumentError                 (ValueError) an argument outside what is allowed
└── OutputError                   (OSError) a result that cannot be written
"""

from __future__ import annotations


class EdgeVoiceError(Exception):
    """Root of all errors that EdgeVoice raises on purpose."""


class AudioError(EdgeVoiceError):
    """The samples, or the file that they come from, cannot be used."""


class AudioFileNotFoundError(AudioError, FileNotFoundError):
    """There is no audio file or folder at the path given."""


class AudioFormatError(AudioError, ValueError):
    """A file is not audio, is cut short, or is in a format that cannot be read."""


class SamplesError(AudioError, ValueError):
    """Samples have a dtype or shape that is not accepted, or hold NaN or infinity."""


class AudioTooShortError(AudioError, ValueError):
    """Audio has fewer samples than one window."""


class ModelError(EdgeVoiceError):
    """A model folder cannot be used."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """No model folder has that name or path."""


class ModelConfigError(ModelError, ValueError):
    """A model.json is not what the format allows; the message names the key."""


class ModelFilesError(ModelError, OSError):
    """A file of a model folder is missing, altered, not self-contained or unreadable."""


class ModelUseError(ModelError, ValueError):
    """The model cannot be used in this way, as a whole-file model in a stream."""


class DeviceError(EdgeVoiceError):
    """What computes or captures is missing, busy or gone."""


class MissingPackageError(DeviceError, ImportError):
    """A package that this use needs is not installed; the message says how to install it."""


class ProviderError(DeviceError, RuntimeError):
    """The device asked for cannot compute with the ONNX Runtime at hand."""


class DeviceMemoryError(DeviceError, MemoryError):
    """The computation does not fit into memory."""


class MicrophoneNotFoundError(DeviceError, LookupError):
    """No input device has that name or index."""


class MicrophoneOpenError(DeviceError, OSError):
    """The input device exists but cannot be opened."""


class MicrophoneLostError(DeviceError, OSError):
    """The input device was unplugged, or stopped delivering samples."""


class StreamError(EdgeVoiceError, RuntimeError):
    """A stream was used out of order, as push after finish."""


class ArgumentError(EdgeVoiceError, ValueError):
    """An argument is outside what is allowed."""


class OutputError(EdgeVoiceError, OSError):
    """A result cannot be written."""


class EdgeVoiceWarning(UserWarning):
    """The input is odd and was used all the same; the message says how."""
