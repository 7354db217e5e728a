"""Every error that EdgeVoice raises on purpose, and the exit code of a command that it ends.

EdgeVoiceError
├── AudioError                    1  the samples, or the file that they come from
│   ├── AudioFileNotFoundError    1  (FileNotFoundError) no such file or folder
│   ├── AudioFormatError          1  (ValueError) not audio, truncated, or a format that cannot be read
│   ├── SamplesError              1  (ValueError) wrong dtype or shape, NaN, infinity
│   └── AudioTooShortError        1  (ValueError) fewer samples than one window
├── ModelError                    2  the model folder
│   ├── ModelNotFoundError        2  (FileNotFoundError) no model of that name or path
│   ├── ModelConfigError          2  (ValueError) model.json is not what the format allows
│   ├── ModelFilesError           2  (OSError) a file of the folder is missing, altered or unreadable
│   ├── ModelUseError             2  (ValueError) the model cannot be used in this way
│   └── HeadError                 2  (ValueError) no head, or one that was fitted with another model
├── DeviceError                   2  what computes
│   ├── MissingPackageError       2  (ImportError) a package that this use needs is not installed
│   ├── ProviderError             2  (RuntimeError) the device asked for cannot compute
│   ├── DeviceMemoryError         1  (MemoryError) the computation does not fit into memory
│   └── ClusterError              1  (ConnectionError) a scheduler or the workers of a cluster are lost, or not as needed
├── MicrophoneError               2  what captures
│   ├── MicrophoneNotFoundError   2  (LookupError) no input device of that name or index
│   ├── MicrophoneOpenError       2  (OSError) the input device cannot be opened
│   └── MicrophoneLostError       1  (OSError) the input device stopped delivering
├── StreamError                   1  (RuntimeError) a stream used out of order, as push after finish
├── ArgumentError                 2  (ValueError) an argument outside what is allowed
└── OutputError                   1  (OSError) a result that cannot be written

EdgeVoiceWarning                   (UserWarning) what was done, though something about the input is odd
"""

from __future__ import annotations


class EdgeVoiceError(Exception):
    """Root of all errors that EdgeVoice raises on purpose."""

    exit_code = 1
    """The exit code: 1 where the work failed, 2 where the request cannot be carried out here."""


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

    exit_code = 2


class ModelNotFoundError(ModelError, FileNotFoundError):
    """No model folder has that name or path."""


class ModelConfigError(ModelError, ValueError):
    """A model.json is not what the format allows; the message names the key."""


class ModelFilesError(ModelError, OSError):
    """A file of a model folder is missing, altered, not self-contained or unreadable."""


class ModelUseError(ModelError, ValueError):
    """The model cannot be used in this way, such as a model of whole recordings in a stream."""


class HeadError(ModelError, ValueError):
    """A file is no head, or a head does not fit the model, the level, the hop or the frames that it is used with."""


class DeviceError(EdgeVoiceError):
    """The hardware or software that computes is missing or unsuitable."""

    exit_code = 2


class MissingPackageError(DeviceError, ImportError):
    """A package that is needed here is not installed; the message says how to install it."""


class ProviderError(DeviceError, RuntimeError):
    """The device cannot compute with the installed ONNX Runtime."""


class DeviceMemoryError(DeviceError, MemoryError):
    """The computation does not fit into memory."""

    exit_code = 1


class ClusterError(DeviceError, ConnectionError):
    """The scheduler or the workers of a cluster are lost, or do not match this process."""

    exit_code = 1


class MicrophoneError(EdgeVoiceError):
    """The microphone is unknown, busy or lost."""

    exit_code = 2


class MicrophoneNotFoundError(MicrophoneError, LookupError):
    """No input device has that name or index."""


class MicrophoneOpenError(MicrophoneError, OSError):
    """The input device exists but cannot be opened."""


class MicrophoneLostError(MicrophoneError, OSError):
    """The input device was unplugged, or stopped delivering samples."""

    exit_code = 1


class StreamError(EdgeVoiceError, RuntimeError):
    """A stream was used in the wrong order, such as a push after finish."""


class ArgumentError(EdgeVoiceError, ValueError):
    """An argument is outside what is allowed."""

    exit_code = 2


class OutputError(EdgeVoiceError, OSError):
    """A result cannot be written."""


class EdgeVoiceWarning(UserWarning):
    """The input is unusual, and was used nevertheless; the message says how."""


def missing(package: str, what: str = "") -> MissingPackageError:
    """The error for a package, by its name for pip, that is not installed, and what needs it, as a sentence begins."""
    # No extra is named: it can only be installed from where EdgeVoice itself came from.
    needs = f"{what} needs {package}, which" if what else package
    return MissingPackageError(f"{needs} is not installed: pip install {repr(package) if '[' in package else package}")
